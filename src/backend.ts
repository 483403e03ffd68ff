import type { ByteBody, ByteRange, ByteSource } from './bytes.ts'
import type { Descriptor } from './spec/descriptor.ts'
import type { Digest, DigestAlgorithm } from './spec/digest.ts'

/** Travels with every operation, like Go's `context.Context`; never read from ambient state. */
export interface OperationContext {
  readonly signal?: AbortSignal
  /** Who asked, as established by an access controller; `undefined` for programmatic calls. */
  readonly actor?: string
  /** Correlates logs, events and responses. */
  readonly requestId?: string
  /** The registry that the client has in mind when it asks a mirror: `ns=docker.io`. Only `pullThrough` looks at it. */
  readonly namespace?: string
  /** What an event tells of the request that caused it; absent for programmatic calls. */
  readonly request?: {
    readonly address?: string
    readonly host?: string
    readonly method: string
    readonly userAgent?: string
  }
}

export interface ListOptions extends OperationContext {
  /** Start strictly after this item, in byte order. */
  readonly after?: string
  /** A hint: how many items the caller takes at most before it stops. A listing that knows reads no more than it has to. */
  readonly limit?: number
}

export interface RepositoriesOptions extends ListOptions {
  /** Also repositories that hold blobs and no manifest yet: where a blob may be mounted from. Default: false. */
  readonly withBlobsOnly?: boolean
}

/** The one interface everything composes over. Two methods; state lives below. */
export interface Backend {
  /** Cheap and synchronous; the repository need not exist. Throws `NAME_INVALID`. */
  repository(name: string): Repository
  /** Names of the repositories that hold a manifest, in byte order. */
  repositories(options?: RepositoriesOptions): AsyncIterable<string>
  /**
   * Where the images are, for a backend that only reaches them: `https://registry.example`. Two of one origin are the same place,
   * so blobs can be mounted from one to the other.
   */
  readonly origin?: string
}

export interface Repository {
  readonly name: string
  /** Removes every tag, manifest, link and upload; the name leaves the catalog. Data goes with the next collection. @throws `NAME_UNKNOWN` when there is none */
  delete(context?: OperationContext): Promise<void>
  readonly blobs: Blobs
  readonly manifests: Manifests
  readonly tags: Tags
}

/** Wraps a backend in behaviour: `readOnly()`, `notify(sink)`, `pullThrough(upstream)`. */
export type Decorator = (inner: Backend) => Backend

export interface BlobReader {
  readonly descriptor: Descriptor
  /** The range actually served. */
  readonly range: Required<ByteRange>
  /** Already open: an unreadable blob has thrown before this object existed. */
  readonly body: ByteBody
}

export interface StartUploadOptions extends OperationContext {
  /** The digest, where it is known before the bytes: spares object stores a second copy. */
  readonly digest?: Digest
  /** Where only the algorithm is known. Default: sha256. */
  readonly algorithm?: DigestAlgorithm
  /** Bytes, where known. */
  readonly size?: number
}

export interface StatBlobOptions extends OperationContext {
  /** The caller will leave out an upload if the blob is here: garbage collection must not take it for a while. */
  readonly reliedUpon?: boolean
}

export interface OpenBlobOptions extends OperationContext {
  readonly range?: ByteRange
  /**
   * Whether a backend that does not trust its source hashes a whole blob as it passes, and fails its end with `DIGEST_INVALID`.
   * `false` is for callers who hash themselves. Default: true.
   */
  readonly verify?: boolean
}

export interface LocateOptions extends OperationContext {
  readonly method: 'GET' | 'HEAD'
  readonly remoteAddress?: string
}

/** Blobs of one repository. `BlobStore` implements it over a storage driver, `RemoteBlobs` over HTTP. */
export interface Blobs {
  /** Smallest chunk but the last that the storage likes, in bytes; `OCI-Chunk-Min-Length` on the wire. */
  readonly minChunkBytes?: number
  /** @throws `BLOB_UNKNOWN` */
  stat(digest: Digest, options?: StatBlobOptions): Promise<Descriptor>
  /** @throws `BLOB_UNKNOWN`, `RANGE_INVALID` */
  open(digest: Digest, options?: OpenBlobOptions): Promise<BlobReader>
  startUpload(options?: StartUploadOptions): Promise<Upload>
  /** @throws `BLOB_UPLOAD_UNKNOWN`, also where another `actor` began it and the backend can tell */
  resumeUpload(id: string, context?: OperationContext): Promise<Upload>
  /** Makes a blob of repository `from` (or of any among `from`) visible here, without moving bytes. @throws `BLOB_UNKNOWN` */
  mount(digest: Digest, from: string | AsyncIterable<string>, context?: OperationContext): Promise<Descriptor>
  /** @throws `BLOB_UNKNOWN` */
  delete(digest: Digest, context?: OperationContext): Promise<void>
  /** URL a client may fetch instead (presigned, CDN); `undefined` when we must serve it. @throws `BLOB_UNKNOWN` rather than to give a URL of what is not in this repository */
  locate(digest: Digest, options: LocateOptions): Promise<URL | undefined>

  /** Uploads in one go; the digest is computed, and checked where one is given. @throws `DIGEST_INVALID`, `SIZE_INVALID` */
  put(content: ByteSource, options?: StartUploadOptions): Promise<Descriptor>
  /** Digests linked in this repository, in byte order. */
  list(options?: ListOptions): AsyncIterable<Digest>
}

export interface CommitOptions extends AppendOptions {
  /** The last bytes, in the same call: they are made durable once, with the publishing. */
  readonly last?: ByteSource
}

export interface AppendOptions extends OperationContext {
  /** Offset the caller believes it is at; a mismatch is `RANGE_INVALID`. */
  readonly at?: number
  /** Bytes that are to come, where known: a quota can refuse them before it reads them. */
  readonly size?: number
}

/**
 * One resumable upload: open → append* → commit | cancel. One call at a time: a second one while the first runs is
 * `RANGE_INVALID`.
 */
export interface Upload extends AsyncDisposable {
  readonly id: string
  /** Bytes durably received. */
  readonly offset: number
  readonly startedAt: Date
  /** Resolves with the new offset once the bytes are durable. @throws `RANGE_INVALID` */
  append(content: ByteSource, options?: AppendOptions): Promise<number>
  /** Appends `last`, where given, verifies the digest and publishes the blob; a wrong digest ends the upload. @throws `DIGEST_INVALID` */
  commit(digest: Digest, options?: CommitOptions): Promise<Descriptor>
  /** Drops the session and its bytes. Idempotent, and a no-op after commit. Disposing, in contrast, only releases what this process holds. */
  cancel(): Promise<void>
}

export interface Manifest {
  readonly descriptor: Descriptor
  /** Exact bytes as pushed: the digest covers them, so never re-serialise. */
  readonly content: Uint8Array
}

/**
 * What a tag must point to now for a change to go through: a digest, `null` for "must not exist", `'any'` for "must exist".
 * From `If-Match` and `If-None-Match`.
 */
export type ExpectedTag = Digest | 'any' | null

export interface PutManifestOptions extends OperationContext {
  readonly mediaType: string
  readonly tags?: readonly string[]
  /** Compare and set for each of the tags. @throws `DENIED` with 412 on the wire */
  readonly expected?: ExpectedTag
  /** Digest the client named in the URL; checked against the content. */
  readonly digest?: Digest
}

/** Pages start strictly after the digest in `after`. */
export interface ReferrersOptions extends ListOptions {
  readonly artifactType?: string
}

export interface Manifests {
  /** By tag or digest, in one step. @throws `MANIFEST_UNKNOWN` */
  stat(reference: Digest | string, context?: OperationContext): Promise<Descriptor>
  /** By tag or digest, in one step. @throws `MANIFEST_UNKNOWN` */
  get(reference: Digest | string, context?: OperationContext): Promise<Manifest>
  /** @throws `MANIFEST_INVALID`, `MANIFEST_BLOB_UNKNOWN`, `DIGEST_INVALID` */
  put(content: Uint8Array, options: PutManifestOptions): Promise<Descriptor>
  /** Removes the manifest, and with it the tags that point to it, which it returns. @throws `MANIFEST_UNKNOWN` */
  delete(digest: Digest, context?: OperationContext): Promise<readonly string[]>
  /** Digests of all manifests of this repository, tagged or not, in byte order. */
  list(options?: ListOptions): AsyncIterable<Digest>
  /**
   * Descriptors of the manifests whose `subject` is `subject`, in byte order of their digests; empty when there are none,
   * never `MANIFEST_UNKNOWN`. With `artifactType` and `annotations` as the specification has them.
   */
  referrers(subject: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor>
}

export interface SetTagOptions extends OperationContext {
  /** Compare and set. @throws `DENIED` with 412 on the wire */
  readonly expected?: ExpectedTag
}

export interface Tags {
  /** The digest alone; `Manifests.get(tag)` does both in one step. @throws `MANIFEST_UNKNOWN` */
  resolve(tag: string, context?: OperationContext): Promise<Digest>
  /** @throws `MANIFEST_UNKNOWN` when the target manifest is not in this repository. */
  set(tag: string, target: Digest, options?: SetTagOptions): Promise<void>
  /** Also takes away what an interrupted write left of a tag, though it is none. @throws `MANIFEST_UNKNOWN` */
  delete(tag: string, context?: OperationContext): Promise<void>
  /**
   * In byte order. Names alone are read: what an interrupted write left of a tag, which `resolve` does not know, may be among
   * them until the tag is set or deleted. @throws `NAME_UNKNOWN`
   */
  list(options?: ListOptions): AsyncIterable<string>
}

/** Overrides for {@link decorate}; what is omitted passes through untouched. */
export interface StoreOverrides {
  /** The repository as a whole, its `delete` in particular; given the stores that the other overrides made. */
  repository?(inner: Repository): Repository
  blobs?(inner: Blobs, repository: Repository): Blobs
  manifests?(inner: Manifests, repository: Repository): Manifests
  tags?(inner: Tags, repository: Repository): Tags
}

/** Applies `overrides` to every repository of `inner`. */
export function decorate(inner: Backend, overrides: StoreOverrides): Backend {
  return {
    repository: (name) => {
      const repository = inner.repository(name)
      const decorated: Repository = {
        name: repository.name,
        delete: (context) => repository.delete(context),
        blobs: overrides.blobs?.(repository.blobs, repository) ?? repository.blobs,
        manifests: overrides.manifests?.(repository.manifests, repository) ?? repository.manifests,
        tags: overrides.tags?.(repository.tags, repository) ?? repository.tags,
      }
      return overrides.repository?.(decorated) ?? decorated
    },
    repositories: (options) => inner.repositories(options),
    ...(inner.origin !== undefined && { origin: inner.origin }),
  }
}
