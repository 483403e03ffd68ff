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
import { parseTag } from '../spec/name.ts'
import { otherBytes } from './blob-stream.ts'
import type { ApiResponse, RegistryClient } from './client/registry-client.ts'
import { manifestPath, scope } from './paths.ts'
import type { RemoteReferrers } from './remote-referrers.ts'

/** Bytes of a manifest: what every registry accepts. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

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
   * A tag each takes one request. `expected` is looked at here and sent along as `If-Match` or `If-None-Match`: registries that do not
   * know these headers may let two win who change a tag at once.
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
    let hasReferrers = true
    for (const reference of tags.length > 0 ? tags : [digest]) {
      const conditions = tags.length > 0 ? await this.#conditions(reference, expected, context) : {}
      const { headers } = await this.#client.call({
        ...this.#manifest('PUT', reference),
        scopes: [scope(this.#name, 'pull', 'push')],
        headers: { 'content-type': mediaType, ...conditions },
        body: content,
        expect: [201, 200, 202],
        absent: 'NAME_UNKNOWN',
        context,
      })
      const stored = digestHeader(headers)
      if (stored !== undefined && comparable(stored, digest) && stored !== digest) throw otherBytes(digest, stored)
      hasReferrers &&= headers['oci-subject'] !== undefined
    }
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

  #manifest<M extends 'GET' | 'HEAD' | 'PUT' | 'DELETE'>(method: M, reference: string) {
    const isDigestOrTag = isDigest(reference) ? reference : parseTag(reference)
    return {
      method,
      target: manifestPath(this.#name, isDigestOrTag),
      scopes: [scope(this.#name, 'pull')],
      headers: { accept: ACCEPT },
      absent: 'MANIFEST_UNKNOWN',
    } as const
  }

  async #conditions(
    tag: string,
    expected: ExpectedTag | undefined,
    context: OperationContext,
  ): Promise<Record<string, string>> {
    if (expected === undefined) return {}
    const found = await this.stat(tag, context).then(
      ({ digest }) => digest,
      (error: unknown) => {
        if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
        throw error
      },
    )
    if (expected === 'any' ? found === undefined : found !== (expected ?? undefined)) {
      throw new RegistryError('DENIED', { status: 412, message: `the tag ${tag} does not point to what was expected` })
    }
    if (expected === null) return { 'if-none-match': '*' }
    return { 'if-match': expected === 'any' ? '*' : `"${expected}"` }
  }
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
