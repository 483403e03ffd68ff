import { isIP } from 'node:net'
import { CliError, EXIT_USAGE, systemCodeOf } from './cli-error.ts'

export interface ListenAddress {
  /** An IP address without brackets, or a host name. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/**
 * Reads `host:port`, `[::1]:port` or a port alone (loopback). `:port`, elsewhere every interface, has to be said in full.
 *
 * @throws {@link CliError}
 */
export function parseListenAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(':')
  const port = parsePort(text.slice(colon + 1), text)
  if (colon === -1) return { host: '127.0.0.1', port }
  const host = text.slice(0, colon)
  if (host === '') {
    throw new CliError(
      `--listen ${text}: on which address? 127.0.0.1:${port} for this machine alone, 0.0.0.0:${port} --allow-anonymous-network for all`,
      EXIT_USAGE,
    )
  }
  const bracketed = host.startsWith('[') && host.endsWith(']')
  const bare = bracketed ? host.slice(1, -1) : host
  const valid = bracketed ? isIP(bare) === 6 : /^[A-Za-z0-9.-]{1,253}$/.test(bare)
  if (!valid) throw invalid(text)
  return { host: bare, port }
}

export function isLoopback({ host }: ListenAddress): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** `host:port` as it stands in a URL and in an image reference. */
export function formatAddress({ host, port }: ListenAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

/** Says what stands in the way of listening, and which option changes it; `undefined` for an error of another kind. */
export function explainListenError(error: unknown, address: ListenAddress): CliError | undefined {
  const name = formatAddress(address)
  const elsewhere = `--listen ${formatAddress({ host: address.host, port: address.port + (address.port < 65_535 ? 1 : -1) })}`
  const message = ((): string | undefined => {
    switch (systemCodeOf(error)) {
      case 'EADDRINUSE':
        return `cannot listen on ${name}: the port is in use${culprit(address.port)}. Another one: ${elsewhere}`
      case 'EACCES':
        return `cannot listen on ${name}: not permitted (ports below 1024 are for root). Another one: --listen ${formatAddress({ ...address, port: 5000 })}`
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return `cannot listen on ${name}: this machine has no such address. Give one of its own with --listen`
      default:
        return undefined
    }
  })()
  return message === undefined ? undefined : new CliError(message, undefined, { cause: error })
}

function culprit(port: number): string {
  if (port !== 5000 && port !== 7000) return ' by another program'
  return ' (on macOS, by AirPlay Receiver: System Settings > General > AirDrop & Handoff; else perhaps by another registry)'
}

function parsePort(text: string, whole: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw invalid(whole)
  return port
}

function invalid(text: string): CliError {
  return new CliError(
    `--listen ${text}: expected HOST:PORT, such as 127.0.0.1:5000, [::1]:5000 or 127.0.0.1:0 for any free port`,
    EXIT_USAGE,
  )
}
