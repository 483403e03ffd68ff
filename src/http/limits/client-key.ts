import { isIPv6 } from 'node:net'

/**
 * Whom a request is counted for: whoever it is from, and the address of anonymous ones. Of IPv6, all that one customer commonly
 * has (a /64) is one; so are all whose address nobody knows.
 */
export function clientKey(subject: string | undefined, address: string | undefined): string {
  if (subject !== undefined) return `subject ${subject}`
  return `address ${address === undefined ? 'unknown' : networkOf(address)}`
}

function networkOf(address: string): string {
  const plain = address.split('%', 1)[0] ?? address
  if (!isIPv6(plain)) return plain
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  // Where `::` stands within the first four groups, zeros do; what follows it belongs to the end.
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - groups.length - width(rest))).fill('0')
  const whole = [...groups, ...zeros, ...rest].slice(0, 4)
  return `${whole.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/** In groups: an IPv4 address at the end counts for two. */
function width(groups: readonly string[]): number {
  return groups.length + (groups.at(-1)?.includes('.') ? 1 : 0)
}
