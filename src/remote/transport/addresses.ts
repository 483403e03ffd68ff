import { BlockList, isIP } from 'node:net'

/**
 * Whether an address is one of the public Internet: nothing on this machine, on a private network, in a cloud's metadata service, or
 * without an owner. What is no address at all is not.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function isPublicAddress(text: string): boolean {
  const address = text.replace(/%.*$/s, '') // a zone: fe80::1%eth0
  const family = isIP(address)
  if (family === 4) return !NOT_PUBLIC_4.check(address, 'ipv4')
  if (family !== 6) return false
  if (TRANSLATED.check(address, 'ipv6')) return isPublicAddress(embeddedIPv4(address))
  return GIVEN_TO_NETWORKS.check(address, 'ipv6') && !NOT_PUBLIC_6.check(address, 'ipv6')
}

/**
 * Whether a host can be told to lead nowhere public before it is resolved, which a proxy would do out of sight: an address, in
 * whatever way it was written, for `URL` has made it plain; or a name that only means something on this machine or its network.
 */
export function isPrivateHost(hostname: string): boolean {
  const literal = hostname.replace(/^\[|\]$/g, '')
  if (isIP(literal) !== 0) return !isPublicAddress(literal)
  const labels = hostname.replace(/\.$/, '').split('.')
  return labels.length === 1 || PRIVATE_DOMAINS.has(labels.at(-1) ?? '')
}

/**
 * @see https://www.rfc-editor.org/rfc/rfc6761 (localhost), https://www.rfc-editor.org/rfc/rfc6762 (local), and ICANN's reservation
 * of `internal`, which clouds use for their metadata services.
 */
const PRIVATE_DOMAINS: ReadonlySet<string> = new Set(['localhost', 'local', 'internal'])

// One list per family: a list with a network that IPv4-mapped addresses are in finds every IPv4 address in it.
const NOT_PUBLIC_4 = networks('ipv4', [
  ['0.0.0.0', 8], // this network; 0.0.0.0 connects to this machine
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT, and some clouds' own services
  ['127.0.0.0', 8],
  ['168.63.129.16', 32], // Azure's services for the machine itself, though the address is a public one
  ['169.254.0.0', 16], // link-local: metadata services
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
])

/** Outside of it are loopback, IPv4-mapped, unique local, link-local and multicast addresses, and what nobody has. */
const GIVEN_TO_NETWORKS = networks('ipv6', [['2000::', 3]])

const NOT_PUBLIC_6 = networks('ipv6', [
  ['2001::', 23], // Teredo and other protocol assignments
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4
  ['3fff::', 20],
])

/** NAT64: an IPv4 address in the last four bytes. */
const TRANSLATED = networks('ipv6', [['64:ff9b::', 96]])

function networks(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [net: string, prefix: number])[]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, family)
  return list
}

/** The last 32 bits. A URL writes them as two groups of hex digits, whatever they looked like. */
function embeddedIPv4(address: string): string {
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':')
  const [low = 0, high = 0] = groups.reverse().map((group) => Number.parseInt(group || '0', 16))
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}
