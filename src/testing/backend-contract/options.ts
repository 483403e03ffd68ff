import type { Backend } from '../../backend.ts'

/**
 * What a backend may be unable to do, by its own kind and not by mistake: a registry over HTTP has no way to list blobs, a
 * directory knows no conditions. The suite then asks for what is documented instead, which stands beside each.
 */
export type BackendTrait =
  /** Changes of any kind. Without: each is `UNSUPPORTED`, and changes nothing; what is read is put there by `writer`. */
  | 'write'
  /** `blobs.delete`. Without: `UNSUPPORTED` or `DENIED`, and the blob stays. */
  | 'delete blobs'
  /** `manifests.delete`. Without: `UNSUPPORTED` or `DENIED`, and the manifest stays, its tags as well. */
  | 'delete manifests'
  /** `tags.delete`. Without: `UNSUPPORTED` or `DENIED`, and the tag stays. */
  | 'delete tags'
  /** `delete` of a repository that has tags. Without: `UNSUPPORTED` or `DENIED`, and everything stays. */
  | 'delete repositories'
  /** `manifests.delete` tells the tags that went with it. Without: they go, and it tells none that did not. */
  | 'tags of deletions'
  /** A tag that exists can be pointed to another manifest. Without: `DENIED`, and it stays where it is. */
  | 'move tags'
  /** `expected`. Without: `UNSUPPORTED`, and no tag is set. */
  | 'conditional tags'
  /** `repositories()`. Without: `UNSUPPORTED`. */
  | 'catalog'
  /** `repositories({ withBlobsOnly: true })` tells those without a manifest. Without: it may leave them out. */
  | 'repositories of blobs'
  /** A repository whose last manifest is deleted leaves the catalog. Without: it may stay there, with no tags. */
  | 'emptied repositories'
  /** `blobs.list`. Without: `UNSUPPORTED`. */
  | 'blob list'
  /** `manifests.list`. Without: `UNSUPPORTED`. */
  | 'manifest list'
  /** Manifests that no tag points to. Without: to put one with no tag is `UNSUPPORTED`. */
  | 'untagged manifests'
  /** Blobs and manifests are seen in the repository they were put to, and in no other. Without: blobs are seen in all. */
  | 'isolation'
  /** An image is refused while its config or a layer is missing. Without: it is taken. */
  | 'blob check'
  /** An index is refused while one of its manifests is missing. Without, as where one platform of many is kept: it is taken. */
  | 'index check'
  /** `resumeUpload` continues what was begun here, or through `reopen`. Without: `BLOB_UPLOAD_UNKNOWN` or `UNSUPPORTED`. */
  | 'resume'
  /** `mount`. Without: `BLOB_UNKNOWN` or `UNSUPPORTED`, and the caller has to move the bytes. */
  | 'mount'
  /** Blobs and manifests by their sha512 digest. Without: `DIGEST_INVALID` or `UNSUPPORTED`. */
  | 'sha512'
  /** Manifests of media types that nobody here has heard of. Without: `MANIFEST_INVALID`, `UNSUPPORTED` or `DENIED`. */
  | 'unknown manifest types'

export interface BackendContractOptions {
  /** Returns an empty backend; called once or more per test. */
  create(): Promise<Backend>
  /** Another one over the same images, as a second process would have; without it the tests that need one use the same. */
  reopen?(backend: Backend): Promise<Backend>
  /** Removes whatever `create` made. Not called for what `reopen` made. */
  destroy?(backend: Backend): Promise<void>
  /**
   * Through which the tests of reading put what they read, into the very places where `backend` sees it: the registry behind a
   * read-only view or a cache. Everything is there before `backend` is first asked for it. Default: `backend` itself.
   */
  writer?(backend: Backend): Backend
  /** What it cannot do. Default: nothing. */
  readonly lacks?: readonly BackendTrait[]
  /**
   * Backends that are refused, or cannot reach what they need, by what is wrong: every call must reject with `UNAVAILABLE`,
   * `TOOMANYREQUESTS`, `UNAUTHORIZED` or `DENIED`, and none must take it for absence. Each is opened once per test, and given
   * to `destroy`.
   */
  readonly unavailable?: Readonly<Record<string, () => Promise<Backend>>>
  /** Largest blob that the suite writes, in bytes: well beyond every buffer on its way. Default: 6 MiB. */
  readonly largeBlobBytes?: number
}
