import { type Descriptor, readDescriptor } from '../spec/descriptor.ts'
import { isJsonObject, type JsonObject, readJson } from '../spec/json-scan.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { malformed } from './errors.ts'
import { type EntryName, IMAGE_NAME, REF_NAME, type RepositoryNames } from './names.ts'

/** As the image specification has it: the version of the format, not of the image. */
export const LAYOUT_VERSION = '1.0.0'
export const LAYOUT_FILE: string = JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION })

/** Bytes of an `index.json`, or of Docker's `manifest.json`, beyond which nobody wrote it for an image. */
export const MAX_INDEX_BYTES: number = 16 * 1024 * 1024
const LIMITS = { maxDepth: 16, maxTokens: 1_000_000, maxKeys: 10_000 }

/** One of the descriptors in `index.json`: a manifest, under a tag or under none. */
export interface IndexEntry extends EntryName {
  readonly descriptor: Descriptor
  /** As it stands in the file, with fields that we do not know. */
  readonly raw: JsonObject
}

/** What a change leaves, and what is to be done once that is durable. */
export interface IndexChange {
  readonly entries: readonly IndexEntry[]
  readonly after?: () => Promise<void>
}

/** The `index.json` of a layout. */
export interface LayoutIndex {
  read(): Promise<readonly IndexEntry[]>
  /** One change at a time; resolves once it is durable. What `change` throws leaves the index as it is. */
  update(change: (entries: readonly IndexEntry[]) => Promise<IndexChange>): Promise<void>
}

/** An `index.json`, read; fields that are not ours are kept for when it is written again. */
export interface IndexDocument {
  readonly entries: readonly IndexEntry[]
  readonly rest: JsonObject
}

/** @throws {@link RegistryError} `MANIFEST_INVALID`, naming `where` */
export function parseIndex(content: Uint8Array, where: string, names: RepositoryNames): IndexDocument {
  const root = parseObject(content, where)
  const { manifests, ...rest } = root
  if (!Array.isArray(manifests)) throw malformed(`${where}: "manifests" should be a list of descriptors`)
  const entries = manifests.map((raw: unknown, index): IndexEntry => {
    try {
      const descriptor = readDescriptor(raw, `manifests[${index}]`)
      // It would not have been read as a descriptor if it were no object.
      return { descriptor, raw: raw as JsonObject, ...names.read(descriptor.annotations) }
    } catch (cause) {
      throw malformed(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
    }
  })
  return { entries, rest }
}

export function formatIndex({ entries, rest }: IndexDocument): Uint8Array {
  const { schemaVersion: _, mediaType: __, ...others } = rest
  const manifests = entries.map(({ raw }) => raw)
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests, ...others }))
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` for what is no `oci-layout`, or one of another version */
export function checkLayoutFile(content: Uint8Array, where: string): void {
  const { imageLayoutVersion } = parseObject(content, where)
  if (typeof imageLayoutVersion === 'string' && /^1\./.test(imageLayoutVersion)) return
  throw malformed(
    `${where}: "imageLayoutVersion" is ${JSON.stringify(imageLayoutVersion) ?? 'missing'}, where "${LAYOUT_VERSION}" can be read`,
  )
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` */
export function parseObject(content: Uint8Array, where: string): JsonObject {
  const value = parseJson(content, where)
  if (!isJsonObject(value)) throw malformed(`${where} should be a JSON object`)
  return value
}

/** @throws {@link RegistryError} `MANIFEST_INVALID` */
export function parseJson(content: Uint8Array, where: string): unknown {
  const reading = readJson(content, { limits: LIMITS, uniqueKeys: true })
  if (reading.problem !== undefined) throw malformed(`${where}: ${reading.problem}`, reading.cause)
  return reading.value
}

/** An entry for a manifest under another name: what the descriptor says stays, the names are replaced. */
export function entryFor(
  source: Pick<IndexEntry, 'descriptor' | 'raw'>,
  name: EntryName,
  names: RepositoryNames,
): IndexEntry {
  const { descriptor, raw } = source
  const { [REF_NAME]: _, [IMAGE_NAME]: __, ...kept } = descriptor.annotations ?? {}
  const annotations = { ...kept, ...names.write(name, descriptor.digest) }
  const { annotations: ___, ...fields } = raw
  const hasAny = Object.keys(annotations).length > 0
  return {
    descriptor,
    raw: { ...fields, ...(hasAny && { annotations }) },
    repository: name.repository,
    ...(name.tag !== undefined && { tag: name.tag }),
  }
}

/** For a manifest that no file has an entry of yet. */
export function rawOf({ mediaType, digest, size, artifactType, platform }: Descriptor): JsonObject {
  return {
    ...{ mediaType, digest, size },
    ...(artifactType !== undefined && { artifactType }),
    ...(platform !== undefined && { platform }),
  }
}
