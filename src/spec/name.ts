import { RegistryError } from '../errors.ts'

/** Longest repository name, in characters, as Distribution has it: with the host name it must fit 255. */
export const MAX_NAME_LENGTH = 255

/** @internal Longest tag, in characters. */
export const MAX_TAG_LENGTH = 128

/**
 * Whether `text` is a repository name: components of lower-case letters and digits, separated within by one `.`, one or
 * two `_`, or any number of `-`; components separated by `/`. Scanned by hand, in linear time: no input can make it slow.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 */
export function isRepositoryName(text: string): boolean {
  if (text.length === 0 || text.length > MAX_NAME_LENGTH) return false
  let i = 0
  while (i < text.length) {
    if (!isAlphanumeric(text.charCodeAt(i))) return false
    while (i < text.length && isAlphanumeric(text.charCodeAt(i))) i++
    if (i === text.length) return true
    i += separatorLength(text, i)
  }
  return false // ended on a separator
}

/** @throws {@link RegistryError} `NAME_INVALID` */
export function parseRepositoryName(text: string): string {
  if (isRepositoryName(text)) return text
  throw new RegistryError('NAME_INVALID', {
    message: `not a repository name: expected lower-case letters and digits, separated by . _ __ - or /, at most ${MAX_NAME_LENGTH} characters`,
    detail: { name: text.slice(0, MAX_NAME_LENGTH) },
  })
}

/** Whether `text` is a tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`. */
export function isTag(text: string): boolean {
  if (text.length === 0 || text.length > MAX_TAG_LENGTH) return false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    const word = isAlphanumeric(c) || (c >= 0x41 && c <= 0x5a) || c === 0x5f
    if (!word && (i === 0 || (c !== 0x2e && c !== 0x2d))) return false
  }
  return true
}

/** @throws {@link RegistryError} `MANIFEST_INVALID`, the specification having no code for tags */
export function parseTag(text: string): string {
  if (isTag(text)) return text
  throw new RegistryError('MANIFEST_INVALID', {
    message: `not a tag: expected a letter, digit or _, then up to ${MAX_TAG_LENGTH - 1} more of those, . or -`,
    detail: { tag: text.slice(0, MAX_TAG_LENGTH) },
  })
}

/** Longest upload id, in characters. */
const MAX_UPLOAD_ID_LENGTH = 128

/** Whether `text` can be the id of an upload: Distribution's grammar, but for a leading `.`: no storage reads these as a path. */
export function isUploadId(text: string): boolean {
  if (text.length === 0 || text.length > MAX_UPLOAD_ID_LENGTH || text.startsWith('.')) return false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (!isAlphanumeric(c) && !(c >= 0x41 && c <= 0x5a) && !'-_=.'.includes(text.charAt(i))) return false
  }
  return true
}

/** Length of the separator at `at`; 0 where there is none, which makes the scan stop on the same character. */
function separatorLength(text: string, at: number): number {
  const c = text.charCodeAt(at)
  if (c === 0x2f || c === 0x2e) return 1 // "/" and "."
  if (c === 0x5f) return text.charCodeAt(at + 1) === 0x5f ? 2 : 1
  let end = at
  while (text.charCodeAt(end) === 0x2d) end++
  return end - at
}

function isAlphanumeric(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x7a)
}
