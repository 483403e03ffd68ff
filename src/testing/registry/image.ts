// Images out of a few words: `image({ layers: ['a', 'b'] })`. Real ones, that any client can pull and unpack, in memory, and the
// same bytes each time, so that their digests can stand in an assertion.
import { gzipSync } from 'node:zlib'
import { checkChoice, checkOptions, kindOf } from '../../arguments.ts'
import type { Descriptor, Platform } from '../../spec/descriptor.ts'
import { type Digest, digestOf, hexOf } from '../../spec/digest.ts'
import { MEDIA_TYPES } from '../../spec/media-types.ts'
import { parsePlatform } from '../../spec/platform.ts'
import { tarOf } from './tar.ts'

/**
 * What a layer is made of: a text, which becomes a tar of one file that is named like it (`'a'` is the file `a` with the content
 * `a`; what is no name is named by its hash); files by their paths; or bytes, which are taken as they are.
 */
export type LayerContent = string | Uint8Array | Readonly<Record<string, string | Uint8Array>>

export interface ImageOptions {
  /** From the bottom up. Equal contents are equal layers, in any image. */
  readonly layers?: readonly LayerContent[]
  /** How to run it: `{ Env: ['A=1'], Cmd: ['/a'], User: '1000' }`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** `linux/arm64/v8`, or an object. Default: linux/amd64. */
  readonly platform?: string | Platform
  readonly annotations?: Readonly<Record<string, string>>
  /** Media types of OCI, or those of Docker's schema 2. Default: oci. */
  readonly format?: 'oci' | 'docker'
  /** Layers as `tar+gzip`. Default: no. */
  readonly gzip?: boolean
  /** What this image refers to, as a signature does. */
  readonly subject?: SymbolicImage | Descriptor
}

export interface IndexOptions {
  readonly annotations?: Readonly<Record<string, string>>
  /** Default: oci. */
  readonly format?: 'oci' | 'docker'
  readonly artifactType?: string
  readonly subject?: SymbolicImage | Descriptor
}

export interface ArtifactOptions {
  /** `artifactType`: a media type such as `application/vnd.example.sbom`. */
  readonly type: string
  /** What it holds: a text or bytes, or several by their titles. Default: nothing but `{}`. */
  readonly content?: string | Uint8Array | Readonly<Record<string, string | Uint8Array>>
  /** Of what it holds. Default: `application/octet-stream`. */
  readonly mediaType?: string
  readonly annotations?: Readonly<Record<string, string>>
  /** What it is attached to. */
  readonly subject?: SymbolicImage | Descriptor
}

/** A manifest with all that belongs to it; to be pushed by `registry.push()`, or by the client under test. */
export interface SymbolicImage {
  readonly digest: Digest
  readonly mediaType: string
  /** As an index would list it, with the platform. */
  readonly descriptor: Descriptor
  /** The manifest's bytes. */
  readonly content: Uint8Array
  /** Absent for an index. */
  readonly config?: Descriptor
  /** Empty for an index. */
  readonly layers: readonly Descriptor[]
  /** Contents of `config` and `layers`. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>
  /** What an index lists. */
  readonly images: readonly SymbolicImage[]
  readonly subject?: Descriptor
}

const TYPES = {
  oci: {
    manifest: MEDIA_TYPES.ociManifest,
    index: MEDIA_TYPES.ociIndex,
    config: MEDIA_TYPES.ociConfig,
    layer: 'application/vnd.oci.image.layer.v1.tar',
    gzippedLayer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    manifest: MEDIA_TYPES.dockerManifest,
    index: MEDIA_TYPES.dockerList,
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar',
    gzippedLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const

/**
 * An image.
 *
 * @example
 * const app = image({ layers: ['a', { 'etc/motd': 'hello' }], config: { Cmd: ['/a'] }, platform: 'linux/arm64' })
 * @throws `TypeError` for options that there are not, and for a platform that is none
 */
export function image(options: ImageOptions = {}): SymbolicImage {
  checkOptions('image()', options, {
    layers: true,
    config: true,
    platform: true,
    annotations: true,
    format: true,
    gzip: true,
    subject: true,
  })
  checkChoice('format', options.format, ['oci', 'docker'])
  const { layers = [], format = 'oci', gzip = false, config: runtime = {} } = options
  if (!Array.isArray(layers)) {
    throw new TypeError(`the option "layers" must be a list, ['a', { 'etc/motd': 'hello' }] say, not ${kindOf(layers)}`)
  }
  const types = TYPES[format]
  const platform = parsePlatform(options.platform ?? 'linux/amd64')
  const tars = layers.map(layerBytes)
  const stored = gzip ? tars.map(gzipped) : tars
  const rootfs = { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) }
  const config = jsonBytes({ ...platform, config: runtime, rootfs })
  const layerType = gzip ? types.gzippedLayer : types.layer
  return withBlobs(types.manifest, {
    config: { mediaType: types.config, content: config },
    layers: stored.map((content) => ({ mediaType: layerType, content })),
    platform,
    annotations: options.annotations,
    subject: options.subject,
  })
}

/** An index of images, in the order given. @throws `TypeError` for options that there are not */
export function index(images: readonly SymbolicImage[], options: IndexOptions = {}): SymbolicImage {
  if (!Array.isArray(images)) throw new TypeError(`index() takes a list of images, not ${kindOf(images)}`)
  checkOptions('index()', options, { annotations: true, format: true, artifactType: true, subject: true })
  checkChoice('format', options.format, ['oci', 'docker'])
  const { format = 'oci', annotations, artifactType } = options
  const mediaType = TYPES[format].index
  const subject = options.subject && subjectOf(options.subject)
  const content = jsonBytes({
    schemaVersion: 2,
    mediaType,
    artifactType,
    manifests: images.map(({ descriptor }) => descriptor),
    subject,
    annotations,
  })
  const descriptor = { ...describe(mediaType, content), ...(artifactType !== undefined && { artifactType }) }
  return { ...parts(descriptor, content), layers: [], blobs: new Map(), images, ...(subject && { subject }) }
}

/**
 * An artifact: bytes of any kind, by themselves or attached to an image.
 *
 * @example
 * const sbom = artifact({ type: 'application/spdx+json', content: '{}', subject: app })
 * @throws `TypeError` for options that there are not
 */
export function artifact(options: ArtifactOptions): SymbolicImage {
  checkOptions('artifact()', options, {
    type: true,
    content: true,
    mediaType: true,
    annotations: true,
    subject: true,
  })
  const { type, content = {}, mediaType = MEDIA_TYPES.octetStream } = options
  const isSingle = typeof content === 'string' || content instanceof Uint8Array
  const layers = isSingle
    ? [{ mediaType, content: bytesOf(content) }]
    : Object.entries(content).map(([title, each]) => ({ mediaType, content: bytesOf(each), title }))
  const empty = { mediaType: MEDIA_TYPES.ociEmpty, content: Buffer.from('{}') }
  return withBlobs(MEDIA_TYPES.ociManifest, {
    artifactType: type,
    config: empty,
    // A manifest without layers is not portable: image-spec, "Guidelines for Artifact Usage".
    layers: layers.length > 0 ? layers : [empty],
    annotations: options.annotations,
    subject: options.subject,
  })
}

interface Part {
  readonly mediaType: string
  readonly content: Uint8Array
  readonly title?: string
}

interface Parts {
  readonly artifactType?: string
  readonly config: Part
  readonly layers: readonly Part[]
  readonly platform?: Platform
  readonly annotations: Readonly<Record<string, string>> | undefined
  readonly subject: SymbolicImage | Descriptor | undefined
}

function withBlobs(mediaType: string, { artifactType, platform, annotations, ...made }: Parts): SymbolicImage {
  const config = describe(made.config.mediaType, made.config.content)
  const layers = made.layers.map(({ content, title, ...layer }) => ({
    ...describe(layer.mediaType, content),
    ...(title !== undefined && { annotations: { 'org.opencontainers.image.title': title } }),
  }))
  const subject = made.subject && subjectOf(made.subject)
  const content = jsonBytes({ schemaVersion: 2, mediaType, artifactType, config, layers, subject, annotations })
  const descriptor = {
    ...describe(mediaType, content),
    ...(artifactType !== undefined && { artifactType }),
    ...(platform && { platform }),
  }
  const blobs = new Map([made.config, ...made.layers].map(({ content: bytes }) => [digestOf(bytes), bytes]))
  return { ...parts(descriptor, content), config, layers, blobs, images: [], ...(subject && { subject }) }
}

function parts(
  descriptor: Descriptor,
  content: Uint8Array,
): Pick<SymbolicImage, 'digest' | 'mediaType' | 'descriptor' | 'content'> {
  return { digest: descriptor.digest, mediaType: descriptor.mediaType, descriptor, content }
}

function subjectOf(subject: SymbolicImage | Descriptor): Descriptor {
  const { mediaType, digest, size } = 'descriptor' in subject ? subject.descriptor : subject
  return { mediaType, digest, size }
}

function layerBytes(layer: LayerContent): Uint8Array {
  if (layer instanceof Uint8Array) return layer
  if (typeof layer !== 'string') return tarOf(layer)
  const isName = /^[\w-][\w.-]{0,99}$/.test(layer)
  return tarOf({ [isName ? layer : hexOf(digestOf(Buffer.from(layer))).slice(0, 12)]: layer })
}

/** Not compressed, in the form of gzip: what compresses differs from one version of zlib to the next. */
function gzipped(content: Uint8Array): Uint8Array {
  const bytes = gzipSync(content, { level: 0 })
  bytes[8] = 0 // how hard it tried
  bytes[9] = 255 // on which system
  return bytes
}

function describe(mediaType: string, content: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.byteLength }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
