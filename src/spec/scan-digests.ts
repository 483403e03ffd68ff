import { type Digest, isDigest } from './digest.ts'

const PREFIXES = [
  { prefix: 'sha256:', length: 7 + 64 },
  { prefix: 'sha512:', length: 7 + 128 },
] as const

/**
 * Every digest written anywhere in `content`, whatever it is: what a manifest of unknown shape must be taken to refer to when
 * one asks what may be deleted. Finds too many rather than too few.
 */
export function scanDigests(content: Uint8Array): Set<Digest> {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const found = new Set<Digest>()
  for (const { prefix, length } of PREFIXES) {
    for (let at = bytes.indexOf(prefix); at >= 0; at = bytes.indexOf(prefix, at + prefix.length)) {
      const text = bytes.toString('latin1', at, at + length)
      if (isDigest(text)) found.add(text)
    }
  }
  return found
}
