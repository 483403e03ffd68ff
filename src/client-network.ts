import { isIPv6 } from 'node:net'

/**
 * What one customer, or one attacker, commonly has: an address, and of IPv6 all of a /64. All whose address nobody knows are one. An IPv4
 * address that is written as one of IPv6 (`::ffff:192.0.2.1`) is the same as without.
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const plain = address.split('%', 1)[0] ?? address
  if (!isIPv6(plain)) return plain
  const groups = groupsOf(plain)
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  }
  const prefix = groups.slice(0, 4).map((group) => group.toString(16))
  return `${prefix.join(':')}::/64`
}

/** All eight, of a valid address. */
function groupsOf(address: string): readonly number[] {
  const [before = [], after] = address.split('::').map(listed)
  if (after === undefined) return before
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** Those that are written down; an IPv4 address at the end is two of them. */
function listed(part: string): readonly number[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}
