import type { Descriptor } from '../spec/descriptor.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import type { ArchiveFile } from './archive-file.ts'
import { ArchiveFiles } from './archive-files.ts'
import { blobPath } from './directory-files.ts'
import { type DockerItem, parseDockerItems, readDockerImage } from './docker-images.ts'
import { malformed } from './errors.ts'
import { checkLayoutFile, entryFor, type IndexEntry, MAX_INDEX_BYTES, parseIndex, rawOf } from './layout-index.ts'
import { ManifestGraph } from './manifest-graph.ts'
import type { EntryName, RepositoryNames } from './names.ts'
import type { Listed } from './repository-changes.ts'
import { TarIndex } from './tar-index.ts'

/** So many names are told of what was found instead of an image. */
const NAMES_TOLD = 5

export interface ReadArchive {
  readonly files: ArchiveFiles
  readonly entries: readonly IndexEntry[]
}

/**
 * Finds the images in a tar. `index.json` of a layout counts; Docker's `manifest.json` beside it adds the names that only it has, and
 * stands in where the layout is wrong.
 *
 * @throws {@link RegistryError} `MANIFEST_INVALID`
 */
export async function readArchive(
  file: ArchiveFile,
  size: number,
  names: RepositoryNames,
  signal?: AbortSignal,
): Promise<ReadArchive> {
  if (size === 0) throw malformed('no tar archive: it is empty')
  const tar = await TarIndex.read(file, size, signal)
  const files = new ArchiveFiles(file)
  files.addLayout(tar)
  const [layout, index, docker] = await Promise.all(
    ['oci-layout', 'index.json', 'manifest.json'].map((path) => readSmall(file, tar, path)),
  )
  const isLayout = layout !== undefined && index !== undefined
  if (docker === undefined && !isLayout) throw nothingFound(tar)
  if (isLayout) checkLayoutFile(layout, 'oci-layout')
  let entries = isLayout ? parseIndex(index, 'index.json', names).entries : []
  const graph = new ManifestGraph(files)
  for (const item of docker === undefined ? [] : parseDockerItems(docker)) {
    signal?.throwIfAborted()
    const { right, wrong, isBelow } = await findImage(entries, item, graph)
    if (isBelow) continue
    const image = right ?? (await makeImage(file, tar, item, files, signal))
    entries = withNames(entries, image, { wrong, names, tags: item.tags })
  }
  return { files, entries }
}

/** Bytes of a file that is small in any archive; `undefined` when it is missing. */
async function readSmall(file: ArchiveFile, tar: TarIndex, path: string): Promise<Buffer | undefined> {
  const place = tar.findOnce(path)
  if (place === undefined) return undefined
  if (place.size > MAX_INDEX_BYTES) throw malformed(`${path} has ${place.size} bytes, more than ${MAX_INDEX_BYTES}`)
  return file.read(place.start, place.size)
}

async function makeImage(
  file: ArchiveFile,
  tar: TarIndex,
  item: DockerItem,
  files: ArchiveFiles,
  signal: AbortSignal | undefined,
): Promise<Listed> {
  const { manifest, content, blobs } = await readDockerImage(file, tar, item, signal)
  for (const [digest, place] of blobs) files.add(digest, place)
  files.addMade(manifest.digest, content)
  return { descriptor: manifest, raw: rawOf(manifest) }
}

interface FoundImage {
  readonly right?: IndexEntry
  /** Docker 25.0 wrote manifests without their layers. */
  readonly wrong: readonly IndexEntry[]
  /** One platform of several: the names are those of their index. */
  readonly isBelow: boolean
}

/** What the layout in the same archive has of an image that Docker's own list names. */
async function findImage(entries: readonly IndexEntry[], item: DockerItem, graph: ManifestGraph): Promise<FoundImage> {
  const wrong: IndexEntry[] = []
  let right: IndexEntry | undefined
  for (const entry of entries) {
    const manifest = await parsedManifest(entry.descriptor, graph)
    if (manifest?.config === undefined) continue
    if (blobPath(manifest.config.digest) !== item.config) continue
    if (manifest.layers.length === item.layers.length) right ??= entry
    else wrong.push(entry)
  }
  if (right !== undefined || wrong.length > 0) return { ...(right && { right }), wrong, isBelow: false }
  for (const { descriptor } of entries) {
    for (const child of (await graph.facts(descriptor))?.children ?? []) {
      const config = (await parsedManifest(child, graph))?.config
      if (config !== undefined && blobPath(config.digest) === item.config) return { wrong, isBelow: true }
    }
  }
  return { wrong, isBelow: false }
}

async function parsedManifest(
  { digest, mediaType }: Descriptor,
  graph: ManifestGraph,
): Promise<ParsedManifest | undefined> {
  const content = await graph.content(digest)
  try {
    return content && parseManifest(content, mediaType)
  } catch {
    return undefined // whoever asks for it is told
  }
}

/** The entries with an image under all its names: those of the entries that it replaces, and those that Docker has. */
function withNames(
  entries: readonly IndexEntry[],
  image: Listed,
  { wrong, names, tags }: { wrong: readonly IndexEntry[]; names: RepositoryNames; tags: readonly string[] },
): readonly IndexEntry[] {
  const result = entries.filter((entry) => !wrong.includes(entry))
  const isThere = (name: EntryName) =>
    result.some(({ repository, tag }) => repository === name.repository && tag === name.tag && tag !== undefined)
  for (const name of [...wrong, ...tags.flatMap((tag) => names.parse(tag) ?? [])]) {
    if (!isThere(name)) result.push(entryFor(image, name, names))
  }
  const isListed = result.some(({ descriptor }) => descriptor.digest === image.descriptor.digest)
  return isListed ? result : [...result, entryFor(image, { repository: names.default }, names)]
}

function nothingFound(tar: TarIndex): Error {
  const paths = tar.paths()
  const folder = paths.find((path) => path.endsWith('/oci-layout'))?.slice(0, -'/oci-layout'.length)
  if (folder !== undefined) {
    return malformed(`the layout lies in the folder ${folder} of the archive: make it with tar -C ${folder} -cf … .`)
  }
  if (paths.includes('repositories')) {
    return malformed('written by docker save of before Docker 1.10, without manifest.json: load and save it again')
  }
  const told = paths.slice(0, NAMES_TOLD).join(', ') + (paths.length > NAMES_TOLD ? ', …' : '')
  return malformed(
    `no image: neither oci-layout and index.json nor manifest.json is in the archive, but ${told || 'nothing'}`,
  )
}
