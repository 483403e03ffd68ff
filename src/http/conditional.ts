import type { ExpectedTag } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import { headerOf } from './headers.ts'
import type { HttpRequest } from './message.ts'

/**
 * Preconditions of a GET or HEAD, in the order of RFC 9110 §13.2.2. Entity tags are digests in quotes; bare ones are taken
 * as well, as Distribution does. Dates play no part: we send none.
 *
 * @returns whether the client has it already: 304
 * @throws {@link RegistryError} `DENIED` with 412
 */
export function isNotModified(request: HttpRequest, digest: Digest): boolean {
  const match = headerOf(request, 'if-match')
  if (match !== undefined && !matchesStrongly(match, digest)) throw preconditionFailed()
  const noneMatch = headerOf(request, 'if-none-match')
  return noneMatch !== undefined && matchesWeakly(noneMatch, digest)
}

/** Whether `If-Range` lets a `Range` apply: no such header, or our entity tag; a date never is. */
export function rangeApplies(request: HttpRequest, digest: Digest): boolean {
  const condition = headerOf(request, 'if-range')
  return condition === undefined || matchesStrongly(condition, digest)
}

/**
 * What `If-Match` and `If-None-Match` of a manifest PUT ask of the tag: one digest to compare and set. Where they name
 * several, what the tag points to now picks the one; if the tag moves meanwhile, the comparison fails as it has to.
 *
 * @param current - asked at most once: what the reference points to, `undefined` for nothing
 * @returns `undefined` without preconditions
 * @throws {@link RegistryError} `DENIED` with 412
 */
export async function expectedTag(
  request: HttpRequest,
  current: () => Promise<Digest | undefined>,
): Promise<ExpectedTag | undefined> {
  const match = headerOf(request, 'if-match')
  const noneMatch = headerOf(request, 'if-none-match')
  if (match === undefined && noneMatch === undefined) return undefined
  if (noneMatch === undefined && match !== undefined) {
    if (match.trim() === '*') return 'any'
    const [only, ...others] = entityTags(match)
    if (only !== undefined && others.length === 0) {
      if (isDigest(only)) return only
      throw preconditionFailed()
    }
  }
  if (match === undefined && noneMatch?.trim() === '*') return null
  const digest = await current()
  const passes =
    (match === undefined || (digest !== undefined && matchesStrongly(match, digest))) &&
    (noneMatch === undefined || digest === undefined || !matchesWeakly(noneMatch, digest))
  if (passes) return digest ?? null
  throw preconditionFailed()
}

export function preconditionFailed(): RegistryError {
  return new RegistryError('DENIED', { status: 412, message: 'precondition failed: it is not what you expected' })
}

function matchesStrongly(header: string, digest: Digest): boolean {
  return header.trim() === '*' || entityTags(header).includes(digest)
}

function matchesWeakly(header: string, digest: Digest): boolean {
  return header.trim() === '*' || entityTags(header.replaceAll('W/"', '"')).includes(digest)
}

/** Opaque tags without their quotes; weak ones keep their `W/`, which no digest begins with. */
function entityTags(header: string): string[] {
  const tags: string[] = []
  for (const item of header.split(',')) {
    const tag = item.trim()
    if (tag !== '') tags.push(tag.length > 1 && tag.startsWith('"') && tag.endsWith('"') ? tag.slice(1, -1) : tag)
  }
  return tags
}
