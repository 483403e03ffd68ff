import { createHash, randomBytes, randomUUID } from 'node:crypto'

/**
 * Names an upload such that only who begins it can go on with it: half of the id is a hash of the other half, the repository and
 * the actor. There is no key in it, and none is needed: the id is also where the upload lies, so an id that somebody else computes
 * for themselves names an upload that is not there.
 *
 * @param actor - who begins it; `undefined`: anonymous or programmatic, then whoever knows the id may go on
 * @returns a UUID, of version 8 where it is bound to an actor, of version 4 where it is not
 */
export function newUploadId(repository: string, actor: string | undefined): string {
  if (actor === undefined) return randomUUID()
  const random = randomBytes(8)
  random.writeUInt8(0x80 | (random.readUInt8(6) & 0x0f), 6)
  const hex = random.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12)}-${bindingOf(hex, repository, actor)}`
}

/** Whether `actor` began the upload of this id. Those of version 4, as Distribution begins them as well, are bound to nobody. */
export function isUploadOf(id: string, repository: string, actor: string | undefined): boolean {
  const [, first, second, third, binding] = /^([0-9a-f]{8})-([0-9a-f]{4})-(8[0-9a-f]{3})-(.{1,64})$/.exec(id) ?? []
  if (first === undefined || second === undefined || third === undefined) return true
  return actor !== undefined && binding === bindingOf(first + second + third, repository, actor)
}

/** The other half: 62 bits of a hash behind the two that every UUID has. */
function bindingOf(random: string, repository: string, actor: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([random, repository, actor]))
    .digest()
    .subarray(0, 8)
  hash.writeUInt8(0x80 | (hash.readUInt8(0) & 0x3f), 0)
  const hex = hash.toString('hex')
  return `${hex.slice(0, 4)}-${hex.slice(4)}`
}
