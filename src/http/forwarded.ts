import { BlockList, isIP } from 'node:net'
import { parseDecimal } from '../spec/decimal.ts'
import { headerOf } from './headers.ts'
import type { HttpRequest } from './message.ts'

/** How the client addressed the proxy in front of us. */
export interface Forwarded {
  readonly proto?: 'http' | 'https'
  readonly host?: string
  /** The client's IP address. */
  readonly address?: string
}

/**
 * Reads `Forwarded`, or `X-Forwarded-Proto`, `-Host` and `-For`, of requests that come from `proxies`; anybody else's would let them
 * write our `Location`s and our logs. A proxy that writes the one may let the other through as the client sent it: where both are there,
 * only what both say is believed.
 *
 * @param proxies - IP addresses and CIDR blocks
 * @returns `undefined` for a request from elsewhere. Where proxies have appended to a list, its last element counts: that one
 * the trusted proxy wrote.
 * @throws `TypeError` for what is neither an address nor a block
 */
export function forwardedReader(proxies: readonly string[]): (request: HttpRequest) => Forwarded | undefined {
  if (proxies.length === 0) return () => undefined
  const trusted = blockListOf(proxies)
  return (request) => {
    const { remoteAddress } = request
    if (remoteAddress === undefined || !contains(trusted, remoteAddress)) return undefined
    const standard = headerOf(request, 'forwarded')
    if (standard === undefined) return readForwardedFor(request)
    const said = readForwarded(standard)
    const isOnlyOne = X_FORWARDED.every((name) => headerOf(request, name) === undefined)
    return isOnlyOne ? said : agreed(said, readForwardedFor(request))
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc7239#section-4 */
function readForwarded(header: string): Forwarded {
  const pairs = new Map<string, string>()
  for (const pair of lastOf(header).split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0) pairs.set(pair.slice(0, equals).trim().toLowerCase(), unquote(pair.slice(equals + 1).trim()))
  }
  return checked(pairs.get('proto'), pairs.get('host'), pairs.get('for'))
}

function readForwardedFor(request: HttpRequest): Forwarded {
  const last = (name: string): string | undefined => {
    const header = headerOf(request, name)
    return header === undefined ? undefined : lastOf(header).trim()
  }
  return checked(...(X_FORWARDED.map(last) as [string?, string?, string?]))
}

const X_FORWARDED = ['x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-for'] as const

function agreed(one: Forwarded, other: Forwarded): Forwarded {
  return Object.fromEntries(Object.entries(one).filter(([key, value]) => other[key as keyof Forwarded] === value))
}

function checked(proto: string | undefined, host: string | undefined, node: string | undefined): Forwarded {
  const scheme = proto?.toLowerCase()
  const address = node === undefined ? undefined : addressOf(node)
  return {
    ...((scheme === 'http' || scheme === 'https') && { proto: scheme }),
    ...(host !== undefined && isHost(host) && { host }),
    ...(address !== undefined && { address }),
  }
}

/** Whether `text` is safe as the authority of a URL: a name or address, perhaps with a port, and no user information. */
export function isHost(text: string): boolean {
  return text.length <= 260 && (NAMED_HOST.test(text) || BRACKETED_HOST.test(text))
}

const NAMED_HOST = /^[A-Za-z0-9._-]+(?::[0-9]{1,5})?$/
const BRACKETED_HOST = /^\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?$/

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; not `unknown`, nor an obfuscated `_name`. */
function addressOf(node: string): string | undefined {
  if (isIP(node) !== 0) return node
  const end = node.startsWith('[') ? node.indexOf(']') : node.indexOf(':')
  const address = node.startsWith('[') ? node.slice(1, Math.max(1, end)) : node.slice(0, Math.max(0, end))
  return isIP(address) === 0 ? undefined : address
}

function blockListOf(proxies: readonly string[]): BlockList {
  const list = new BlockList()
  for (const proxy of proxies) {
    const [address = '', prefix, ...rest] = proxy.split('/')
    const family = isIP(address)
    const bits = prefix === undefined ? undefined : (parseDecimal(prefix) ?? Number.NaN)
    const isTooLong = bits !== undefined && !(bits <= (family === 4 ? 32 : 128))
    if (family === 0 || rest.length > 0 || isTooLong) {
      throw new TypeError(`not an IP address or CIDR block: ${proxy}`)
    }
    const type = family === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, type)
    else list.addSubnet(address, bits, type)
  }
  return list
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function lastOf(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1)
}

function unquote(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}
