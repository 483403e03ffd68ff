import type { Manifest } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../../spec/digest.ts'
import { keyOf, type PullThroughCore } from './core.ts'
import { needsOf } from './references.ts'
import type { Claim } from './router.ts'
import { SingleFlight } from './single-flight.ts'

/** Manifests on their way from an upstream into the local store: each once, however many want it. */
export class ManifestSource {
  readonly #core: PullThroughCore
  readonly #flights = new SingleFlight<Manifest>()

  constructor(core: PullThroughCore) {
    this.#core = core
  }

  /**
   * By tag or digest. It is kept, and so is the tag; where that cannot be done, that is reported, and the manifest is there nonetheless.
   *
   * @param onStart - called at once when this call is the one that asks the upstream
   */
  fetch(
    claim: Claim,
    reference: Digest | string,
    signal: AbortSignal | undefined,
    onStart: () => void = () => {},
  ): Promise<Manifest> {
    return this.#flights.run(keyOf(claim, reference), signal, () => {
      onStart()
      return this.#fetch(claim, reference)
    })
  }

  /** One that is here. */
  async kept(claim: Claim, digest: Digest, signal: AbortSignal | undefined): Promise<Manifest | undefined> {
    try {
      return await this.#core.local(claim).manifests.get(digest, signal && { signal })
    } catch (error) {
      if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
      throw error
    }
  }

  settled(): Promise<void> {
    return this.#flights.settled()
  }

  async #fetch(claim: Claim, reference: Digest | string): Promise<Manifest> {
    const { calls } = this.#core.options
    const { signal } = this.#core
    const subject = { content: 'manifest', reference } as const
    const manifest = await calls.ask(claim, subject, signal, async () => {
      const found = await this.#core.remote(claim).manifests.get(reference, { signal })
      checkDigest(found, isDigest(reference) ? reference : found.descriptor.digest)
      return found
    })
    this.#core.tellOf(claim, 'manifest', reference, { type: 'pulled', bytes: manifest.content.byteLength })
    await this.#keep(claim, manifest, isDigest(reference) ? undefined : reference)
    return manifest
  }

  async #keep(claim: Claim, manifest: Manifest, tag: string | undefined): Promise<void> {
    const { keeper, logger } = this.#core.options
    const { digest, mediaType, size } = manifest.descriptor
    try {
      const isNew = (await this.kept(claim, digest, undefined)) === undefined
      await this.#core.local(claim).manifests.put(manifest.content, { mediaType, digest, ...(tag && { tags: [tag] }) })
      const entry = { content: 'manifest', repository: claim.localName, digest, size } as const
      // What was here and is not known of was pushed, and stays so.
      if (isNew || keeper.ledger.has('manifest', claim.localName, digest)) {
        keeper.brought({ ...entry, needs: needsOf(manifest) })
      }
    } catch (err) {
      const hint = RegistryError.is(err, 'MANIFEST_BLOB_UNKNOWN')
        ? 'cannot keep a manifest that was pulled through: the registry that keeps it needs the option sparse: "all"'
        : 'cannot keep a manifest that was pulled through'
      logger.warn({ err, repository: claim.localName, digest }, hint)
    }
  }
}

/** @throws {@link RegistryError} `DIGEST_INVALID` */
function checkDigest({ content }: Manifest, expected: Digest): void {
  const received = digestOf(content, algorithmOf(expected))
  if (received === expected) return
  throw new RegistryError('DIGEST_INVALID', {
    message: 'the upstream sent another manifest than what it was asked for',
    detail: { expected, received },
  })
}
