import { algorithmOf, type Digest, hexOf } from '../spec/digest.ts'

/**
 * The tags under which things were attached to a manifest before there was a referrers API: the index of the referrers tag
 * schema, and cosign's signatures, attestations and SBOMs.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export function attachedTags(digest: Digest): readonly string[] {
  const base = `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`
  return [base, `${base}.sig`, `${base}.att`, `${base}.sbom`]
}

/** Whether a registry without the referrers API, or a client on its behalf, keeps this tag up to date. */
export function isReferrersTag(tag: string): boolean {
  return /^sha(256|512)-[0-9a-f]{64}$/.test(tag)
}
