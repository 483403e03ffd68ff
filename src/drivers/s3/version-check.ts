import { createHash } from 'node:crypto'

const MD5_TAG = /^"?([0-9a-f]{32})"?$/

/**
 * Tells whether an ETag and bytes that came in one answer belong together. versitygw reads the one and then the other, so that
 * a write in between makes a pair of which a conditional write would think that nobody wrote. Where the ETag is the MD5 of the
 * bytes, as with S3 for what was written at once and unencrypted, that can be seen.
 */
export class VersionCheck {
  /** Unknown until a pair fits, or one that does not comes again. */
  #tagsAreDigests: boolean | undefined
  /** The latest pair that did not fit. */
  #misfit: string | undefined

  belongsTo(version: string, content: Uint8Array): boolean {
    const [, expected] = MD5_TAG.exec(version) ?? []
    if (this.#tagsAreDigests === false || expected === undefined) return true
    const digest = createHash('md5').update(content).digest('hex')
    if (digest === expected) {
      this.#tagsAreDigests = true
      return true
    }
    if (this.#tagsAreDigests) return false
    // The same pair again, and none ever fitted: nobody is writing, the store's tags are something else.
    const misfit = `${expected} ${digest}`
    if (misfit === this.#misfit) this.#tagsAreDigests = false
    this.#misfit = misfit
    return this.#tagsAreDigests === false
  }
}
