import { algorithmOf, type Digest, type DigestAlgorithm, hexOf, isDigest } from '../spec/digest.ts'
import { KEY_ROOT, OWN_ROOT } from './driver.ts'

/**
 * Where everything lies: Distribution's layout, so that either program serves what the other wrote. What Distribution has no
 * place for (marked +) goes under names that it skips.
 *
 * ```
 * docker/registry/v2/
 * ├── blobs/<alg>/<2 hex digits>/<hex>/data                    bytes of layers, configs and manifests
 * ├── repositories/<name>/
 * │   ├── _layers/<alg>/<hex>/link                             the blob is visible here; holds the digest under which its data lies
 * │   ├── _manifests/
 * │   │   ├── revisions/<alg>/<hex>/link                       the manifest is here; holds its digest
 * │   │   ├── revisions/<alg>/<hex>/media-type               + only where the bytes do not tell it
 * │   │   └── tags/<tag>/current/link                          what the tag points to
 * │   │       └── <tag>/index/<alg>/<hex>/link                 what it ever pointed to
 * │   ├── _referrers/<alg>/<hex>/<alg>/<hex>/link            + first digest: the subject; second: a manifest that names it
 * │   └── _uploads/<uuid>/startedat, data                      an upload in progress; RFC 3339 text, bytes so far
 * └── _wharfage/                                             +
 *     ├── format.json                                          who writes here, and by which protocol
 *     ├── intents/<time>-<uuid>                                one per write in flight, naming the digests it relies on
 *     ├── condemned/<sweep>/<n>                                digests that a collection is about to delete
 *     └── tmp/                                                 a driver's own
 * ```
 *
 * A link holds `sha256:<hex>`, no newline. Characters of names, tags and digests are all safe in keys.
 */

export const REPOSITORIES: string = `${KEY_ROOT}/repositories`
export const INTENTS: string = `${OWN_ROOT}/intents`
export const CONDEMNED: string = `${OWN_ROOT}/condemned`
export const FORMAT_MARKER: string = `${OWN_ROOT}/format.json`

export function blobData(digest: Digest): string {
  const hex = hexOf(digest)
  return `${KEY_ROOT}/blobs/${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}/data`
}

/** A folder for a digest: `sha256/<hex>`. */
function folder(digest: Digest): string {
  return `${algorithmOf(digest)}/${hexOf(digest)}`
}

/** Keys of one repository. */
export class RepositoryLayout {
  readonly root: string
  readonly layers: string
  readonly manifests: string
  readonly revisions: string
  readonly tags: string
  readonly uploads: string
  readonly referrers: string

  constructor(name: string) {
    this.root = `${REPOSITORIES}/${name}`
    this.layers = `${this.root}/_layers`
    this.manifests = `${this.root}/_manifests`
    this.revisions = `${this.manifests}/revisions`
    this.tags = `${this.manifests}/tags`
    this.uploads = `${this.root}/_uploads`
    this.referrers = `${this.root}/_referrers`
  }

  layerLink(digest: Digest): string {
    return `${this.layers}/${folder(digest)}/link`
  }

  revision(digest: Digest): string {
    return `${this.revisions}/${folder(digest)}`
  }

  revisionLink(digest: Digest): string {
    return `${this.revision(digest)}/link`
  }

  revisionMediaType(digest: Digest): string {
    return `${this.revision(digest)}/media-type`
  }

  tag(tag: string): string {
    return `${this.tags}/${tag}`
  }

  tagCurrent(tag: string): string {
    return `${this.tags}/${tag}/current/link`
  }

  /** The folder of a tag's history. */
  tagIndex(tag: string): string {
    return `${this.tags}/${tag}/index`
  }

  tagIndexEntry(tag: string, digest: Digest): string {
    return `${this.tagIndex(tag)}/${folder(digest)}/link`
  }

  subject(subject: Digest): string {
    return `${this.referrers}/${folder(subject)}`
  }

  referrerLink(subject: Digest, referrer: Digest): string {
    return `${this.subject(subject)}/${folder(referrer)}/link`
  }

  upload(id: string): string {
    return `${this.uploads}/${id}`
  }

  uploadData(id: string): string {
    return `${this.uploads}/${id}/data`
  }

  uploadStartedAt(id: string): string {
    return `${this.uploads}/${id}/startedat`
  }
}

/** The tag under which clients keep the referrers of `subject` where a registry has no referrers API. */
export function fallbackTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`
}

/** What a link of this digest holds. */
export function linkContent(digest: Digest): Uint8Array {
  return Buffer.from(digest, 'ascii')
}

const LINK_SIZES: Readonly<Record<DigestAlgorithm, number>> = { sha256: 71, sha512: 135 }

/** Whether a link file can be whole: an interrupted write, or a lost power supply, may leave an empty one. */
export function isWholeLink(digest: Digest, size: number): boolean {
  return size === LINK_SIZES[algorithmOf(digest)]
}

/**
 * The digest in a link.
 *
 * @returns `undefined` for an empty link, which counts as none
 * @throws when the link holds anything else: that is damage, not absence
 */
export function parseLink(key: string, content: Uint8Array): Digest | undefined {
  if (content.byteLength === 0) return undefined
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1').trimEnd()
  if (isDigest(text)) return text
  throw new Error(`damaged link: ${key} holds no digest`)
}

/** The digest in the path of a link: `<folder>/<alg>/<hex>/link`; `undefined` for any other key. */
export function digestOfLinkKey(folder: string, key: string): Digest | undefined {
  const [algorithm, hex, file, more] = key.slice(folder.length + 1).split('/')
  const digest = `${algorithm}:${hex}`
  return file === 'link' && more === undefined && isDigest(digest) ? digest : undefined
}
