import { RegistryError } from '../errors.ts'
import { type Digest, parseDigest } from './digest.ts'
import { parseRepositoryName, parseTag } from './name.ts'

/** Where an image is, and which one: what people write as `ubuntu`, `team/app:v1` or `registry.example:5000/app@sha256:…`. */
export interface ImageReference {
  /** Host, with a port where it has one; Docker Hub is `docker.io`. */
  readonly registry: string
  readonly repository: string
  /** Absent where there is a digest and no tag. Beside a digest it is only what the image was called. */
  readonly tag?: string
  readonly digest?: Digest
}

/** What a name without a host means. */
export const DOCKER_HUB = 'docker.io'
/** Docker Hub as it is called in old configurations. */
const OLD_DOCKER_HUB = 'index.docker.io'
/** Images of Docker Hub that belong to nobody's namespace. */
const OFFICIAL = 'library/'
const MAX_REFERENCE_LENGTH = 1_024

/**
 * Reads a reference as Docker does: `ubuntu` is `docker.io/library/ubuntu:latest`. What stands before the first `/` is a host if it
 * holds a `.` or a `:`, is `localhost`, or has a capital letter, which no repository may.
 *
 * @throws {@link RegistryError} `NAME_INVALID`, `MANIFEST_INVALID` (the tag), `DIGEST_INVALID`
 * @see https://github.com/distribution/reference
 */
export function parseReference(text: string): ImageReference {
  if (text.length > MAX_REFERENCE_LENGTH) throw invalid(text, `longer than ${MAX_REFERENCE_LENGTH} characters`)
  const { before: named, after: digest } = cut(text, text.indexOf('@'))
  // A colon before the last slash belongs to a port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const { before: name, after: tag } = cut(named, colon)
  if (isLowerHex64(name)) throw invalid(text, 'the hex digits of a digest alone are no name: write NAME@sha256:…')
  const { registry, path } = splitHost(name)
  if (!isHost(registry)) throw invalid(text, `${registry} is no host name`)
  const repository = registry === DOCKER_HUB && !path.includes('/') ? OFFICIAL + path : path
  return {
    registry,
    repository: parseRepositoryName(repository),
    ...(tag !== undefined ? { tag: parseTag(tag) } : digest === undefined && { tag: 'latest' }),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
  }
}

/** In full, with everything that {@link parseReference} would add: `docker.io/library/ubuntu:latest`. */
export function formatReference({ registry, repository, tag, digest }: ImageReference): string {
  const tagged = tag === undefined ? '' : `:${tag}`
  return `${registry}/${repository}${tagged}${digest === undefined ? '' : `@${digest}`}`
}

function splitHost(name: string): { readonly registry: string; readonly path: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isHostLike = /[.:A-Z]/.test(first) || first === 'localhost'
  if (slash === -1 || !isHostLike) return { registry: DOCKER_HUB, path: name }
  return { registry: first === OLD_DOCKER_HUB ? DOCKER_HUB : first, path: name.slice(slash + 1) }
}

/** A DNS name, an IPv4 address, or an IPv6 address in brackets; and a port. */
function isHost(text: string): boolean {
  const [, bracketed, name, port] = /^(?:\[([0-9a-fA-F:]{2,45})\]|([^:[\]]{1,253}))(?::(\d{1,5}))?$/.exec(text) ?? []
  if (port !== undefined && (Number(port) === 0 || Number(port) > 65_535)) return false
  if (bracketed !== undefined) return URL.canParse(`http://[${bracketed}]`)
  return name?.split('.').every(isLabel) ?? false
}

function isLabel(text: string): boolean {
  return /^[a-zA-Z0-9-]{1,63}$/.test(text) && !text.startsWith('-') && !text.endsWith('-')
}

function isLowerHex64(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

function cut(text: string, at: number): { readonly before: string; readonly after?: string } {
  return at === -1 ? { before: text } : { before: text.slice(0, at), after: text.slice(at + 1) }
}

function invalid(text: string, why: string): RegistryError {
  return new RegistryError('NAME_INVALID', {
    message: `not the reference of an image: ${why}`,
    detail: { reference: text.slice(0, 255) },
  })
}
