import { checkManifestPut } from '../arguments.ts'
import type {
  ExpectedTag,
  Manifest,
  Manifests,
  OperationContext,
  PutManifestOptions,
  ReferrersOptions,
} from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { parseDecimal } from '../spec/decimal.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../spec/digest.ts'
import { detectMediaType, parseManifest } from '../spec/manifest.ts'
import { isMediaType, MEDIA_TYPES } from '../spec/media-types.ts'
import { isTag, parseTag } from '../spec/name.ts'
import { otherBytes } from './blob-stream.ts'
import type { ApiResponse, RegistryClient } from './client/registry-client.ts'
import { manifestPath, scope } from './paths.ts'
import type { RemoteReferrers } from './remote-referrers.ts'

/** Bytes of a manifest: what every registry accepts. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

/** What every registry that knows several tags in one request takes (end-7b). */
const TAGS_PER_REQUEST = 10

/** Some registries answer 404, or with another representation, for a type that is not asked for. */
const ACCEPT: string = [
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerList,
  '*/*',
].join(', ')

/** Manifests of one repository of a registry over HTTP. What comes back is checked against its digest. */
export class RemoteManifests implements Manifests {
  readonly #client: RegistryClient
  readonly #name: string
  readonly #referrers: RemoteReferrers

  constructor(client: RegistryClient, name: string, referrers: (manifests: Manifests) => RemoteReferrers) {
    this.#client = client
    this.#name = name
    this.#referrers = referrers(this)
  }

  async stat(reference: Digest | string, context: OperationContext = {}): Promise<Descriptor> {
    const response = await this.#client.call({ ...this.#manifest('HEAD', reference), expect: [200], context })
    const size = parseDecimal(response.headers['content-length'] ?? '')
    const mediaType = mediaTypeOf(response)
    const digest = digestHeader(response.headers) ?? (isDigest(reference) ? reference : undefined)
    // A HEAD that leaves something out tells nothing.
    if (size === undefined || mediaType === undefined || digest === undefined) {
      return (await this.get(reference, context)).descriptor
    }
    if (isDigest(reference) && comparable(digest, reference) && digest !== reference)
      throw otherBytes(reference, digest)
    return { mediaType, digest: isDigest(reference) ? reference : digest, size }
  }

  async get(reference: Digest | string, context: OperationContext = {}): Promise<Manifest> {
    const request = { ...this.#manifest('GET', reference), expect: [200], context }
    const { response, content } = await this.#client.read(request, MAX_MANIFEST_BYTES)
    const announced = isDigest(reference) ? reference : digestHeader(response.headers)
    const digest = digestOf(content, announced && algorithmOf(announced))
    if (announced !== undefined && digest !== announced) throw otherBytes(announced, digest)
    const mediaType = mediaTypeOf(response) ?? detectMediaType(content)
    if (mediaType === undefined) {
      throw new RegistryError('UNAVAILABLE', {
        message: `${this.#client.address.name} answers with a manifest and not its media type`,
      })
    }
    return { descriptor: { mediaType, digest, size: content.byteLength }, content }
  }

  /**
   * Several tags go in one request where the registry knows how, else in one each. `expected` is looked at here and sent along as
   * `If-Match` or `If-None-Match`: registries that do not know these headers may let two win who change a tag at once.
   */
  async put(content: Uint8Array, options: PutManifestOptions): Promise<Descriptor> {
    checkManifestPut(content, options)
    const { mediaType, tags = [], expected, digest: named, ...context } = options
    const parsed = parseManifest(content, mediaType)
    const digest = digestOf(content, named && algorithmOf(named))
    if (named !== undefined && digest !== named) {
      throw new RegistryError('DIGEST_INVALID', { detail: { expected: named, received: digest } })
    }
    for (const tag of tags) parseTag(tag)
    const conditions = await this.#conditions(tags, expected, context)
    const pushed = { content, mediaType, digest, conditions, context }
    const hasReferrers =
      tags.length === 1 && tags[0] !== undefined && named === undefined
        ? await this.#putAt(tags[0], pushed)
        : await this.#putTagged(tags, pushed)
    const descriptor = { mediaType, digest, size: content.byteLength }
    if (parsed.subject !== undefined && !hasReferrers) await this.#referrers.add(parsed, descriptor, context)
    return descriptor
  }

  /** @returns nothing: a registry does not tell which tags it took along */
  async delete(digest: Digest, context: OperationContext = {}): Promise<readonly string[]> {
    const subject = await this.#referrers.subjectOf(digest, context)
    await this.#client.call({
      ...this.#manifest('DELETE', digest),
      scopes: [scope(this.#name, 'delete', 'pull')],
      expect: [202, 200, 204],
      context,
    })
    if (subject !== undefined) await this.#referrers.remove(subject, digest, context)
    return []
  }

  /** @throws {@link RegistryError} `UNSUPPORTED`: a registry lists tags, and no manifests */
  // biome-ignore lint/correctness/useYield: a listing that fails as soon as it is read
  async *list(): AsyncGenerator<Digest> {
    throw new RegistryError('UNSUPPORTED', { message: `${this.#client.address.name} has no list of manifests` })
  }

  referrers(subject: Digest, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return this.#referrers.list(subject, options)
  }

  /** By digest, with the tags as end-7b has them; those that the registry has not heard of, one after the other. */
  async #putTagged(tags: readonly string[], pushed: Pushed): Promise<boolean> {
    let hasReferrers = true
    const { digest } = pushed
    for (let at = 0; at === 0 || at < tags.length; at += TAGS_PER_REQUEST) {
      const some = tags.slice(at, at + TAGS_PER_REQUEST)
      const query = some.map((tag, i) => `${i === 0 ? '?' : '&'}tag=${tag}`).join('')
      const { headers } = await this.#put(digest + query, some.length > 0 ? pushed : { ...pushed, conditions: {} })
      hasReferrers &&= headers['oci-subject'] !== undefined
      const done = String(headers['oci-tag'] ?? '').split(', ')
      for (const tag of some) if (!done.includes(tag)) hasReferrers = (await this.#putAt(tag, pushed)) && hasReferrers
    }
    return hasReferrers
  }

  /** @returns whether the registry itself keeps what refers to a subject */
  async #putAt(reference: string, pushed: Pushed): Promise<boolean> {
    return (await this.#put(reference, pushed)).headers['oci-subject'] !== undefined
  }

  async #put(target: string, { content, mediaType, digest, conditions, context }: Pushed): Promise<ApiResponse> {
    const response = await this.#client.call({
      method: 'PUT',
      target: manifestPath(this.#name, target),
      scopes: [scope(this.#name, 'pull', 'push')],
      headers: { 'content-type': mediaType, ...conditions },
      body: content,
      // Done, and done again since its answer was lost, it would be refused: what it was to replace is replaced.
      repeatable: Object.keys(conditions).length === 0,
      expect: [201, 200, 202],
      absent: 'NAME_UNKNOWN',
      context,
    })
    const stored = digestHeader(response.headers)
    if (stored !== undefined && comparable(stored, digest) && stored !== digest) throw otherBytes(digest, stored)
    return response
  }

  #manifest<M extends 'GET' | 'HEAD' | 'DELETE'>(method: M, reference: string) {
    // What cannot be a reference is none that there is.
    if (!isDigest(reference) && !isTag(reference)) {
      throw new RegistryError('MANIFEST_UNKNOWN', { detail: { reference: reference.slice(0, 128) } })
    }
    return {
      method,
      target: manifestPath(this.#name, reference),
      scopes: [scope(this.#name, 'pull')],
      headers: { accept: ACCEPT },
      absent: 'MANIFEST_UNKNOWN',
    } as const
  }

  async #conditions(
    tags: readonly string[],
    expected: ExpectedTag | undefined,
    context: OperationContext,
  ): Promise<Record<string, string>> {
    if (expected === undefined) return {}
    for (const tag of tags) await this.#expect(tag, expected, context)
    if (expected === null) return { 'if-none-match': '*' }
    return { 'if-match': expected === 'any' ? '*' : `"${expected}"` }
  }

  async #expect(tag: string, expected: ExpectedTag, context: OperationContext): Promise<void> {
    const found = await this.stat(tag, context).then(
      ({ digest }) => digest,
      (error: unknown) => {
        if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
        throw error
      },
    )
    if (expected === 'any' ? found !== undefined : found === (expected ?? undefined)) return
    throw new RegistryError('DENIED', { status: 412, message: `the tag ${tag} does not point to what was expected` })
  }
}

interface Pushed {
  readonly content: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
  readonly conditions: Readonly<Record<string, string>>
  readonly context: OperationContext
}

function digestHeader(headers: ApiResponse['headers']): Digest | undefined {
  const value = headers['docker-content-digest']
  return typeof value === 'string' && isDigest(value) ? value : undefined
}

/** Two digests of one algorithm name the same content only when they are equal. */
function comparable(one: Digest, other: Digest): boolean {
  return algorithmOf(one) === algorithmOf(other)
}

function mediaTypeOf({ headers }: ApiResponse): string | undefined {
  const mediaType = headers['content-type']?.split(';', 1)[0]?.trim()
  return mediaType !== undefined && isMediaType(mediaType) ? mediaType : undefined
}
