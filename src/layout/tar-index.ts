import { posix } from 'node:path'
import { BLOCK_BYTES } from '../tar/entry.ts'
import { upToZero } from '../tar/fields.ts'
import { isSparse, parsePaxNumber } from '../tar/pax.ts'
import type { ArchiveFile } from './archive-file.ts'
import { malformed } from './errors.ts'
import { paddedSize, parseHeader, parsePax, type TarHeader } from './tar-header.ts'

/** Read at once where headers are looked for: small entries follow each other closely. */
const WINDOW_BYTES = 32 * 1024
/** Bytes of a long name, or of an extended header. */
const MAX_EXTENSION_BYTES = 1024 * 1024
/** No image has as many. */
const MAX_ENTRIES = 1_000_000
/** A link to a link to a link. */
const MAX_LINKS = 16

/** A file in an archive: so many bytes from `start` on. */
export interface TarFile {
  readonly start: number
  readonly size: number
}

interface TarLink {
  /** From the root of the archive; `undefined` where it leads out of it. */
  readonly target: string | undefined
}

/** What an extended header says of the entry that follows. */
interface Extension {
  readonly path?: string
  readonly linkPath?: string
  readonly size?: number
  readonly isSparse?: boolean
}

/** Where in a tar each file lies. Headers are read, data is passed over; nothing is ever extracted. */
export class TarIndex {
  readonly #entries = new Map<string, TarFile | TarLink | 'sparse'>()
  readonly #repeated = new Set<string>()

  /** @throws {@link RegistryError} `MANIFEST_INVALID` for what is damaged, cut short, or leads out of the archive */
  static async read(file: ArchiveFile, size: number, signal?: AbortSignal): Promise<TarIndex> {
    const index = new TarIndex()
    const window = new Window(file, size)
    let extension: Extension = {}
    for (let at = 0; at < size; ) {
      signal?.throwIfAborted()
      if (size < BLOCK_BYTES) throw malformed(`no tar archive: it has ${size} bytes`)
      if (at + BLOCK_BYTES > size) throw cutShort(`at byte ${size}, within a header`)
      const header = parseHeader(await window.block(at), at)
      if (header === undefined) return index
      const extended = await readExtension(file, header, at + BLOCK_BYTES, size)
      if (extended !== undefined) {
        extension = { ...extension, ...extended }
        at += BLOCK_BYTES + paddedSize(header.size)
        continue
      }
      at = index.#add(header, extension, at + BLOCK_BYTES, size)
      extension = {}
      if (index.#entries.size > MAX_ENTRIES) throw malformed(`the tar has more than ${MAX_ENTRIES} entries`)
    }
    return index
  }

  /** Paths of all files and links, in the order of the archive. */
  paths(): string[] {
    return [...this.#entries.keys()]
  }

  /** A file, through links within the archive; `undefined` when there is none. @throws {@link RegistryError} `MANIFEST_INVALID` */
  find(path: string): TarFile | undefined {
    let at = cleanPath(path)
    for (let links = 0; links <= MAX_LINKS; links++) {
      if (at === undefined) throw malformed(`the archive's ${path} leads out of the archive`)
      const entry = this.#entries.get(at)
      if (entry === undefined) return undefined
      if (entry === 'sparse') throw malformed(`the archive's ${path} is a sparse file, which cannot be read`)
      if (!('target' in entry)) return entry
      at = entry.target
    }
    throw malformed(`the archive's ${path} is a link that leads back to itself`)
  }

  /** The same for a file that must not be there twice: two programs would read two different images. */
  findOnce(path: string): TarFile | undefined {
    if (this.#repeated.has(path)) throw malformed(`the archive has ${path} more than once`)
    return this.find(path)
  }

  /** @returns where the next header is */
  #add(header: TarHeader, extension: Extension, start: number, end: number): number {
    const told = extension.path ?? header.path
    const path = cleanPath(told)
    if (path === undefined) throw malformed(`the archive has an entry ${JSON.stringify(told)}, which leads out of it`)
    const size = extension.size ?? header.size
    const isLink = header.type === '1' || header.type === '2'
    // Of devices, pipes, directories and links a size is said at times, but no data follows.
    if (isLink || /[3456]/.test(header.type)) {
      if (isLink) this.#set(path, { target: linkTarget(path, header, extension) })
      return start
    }
    if (start + size > end) throw cutShort(`in the middle of ${path}: ${end - start} of its ${size} bytes are there`)
    if (header.type === 'S' || extension.isSparse) this.#set(path, 'sparse')
    else if (header.type === '0') this.#set(path, { start, size })
    return start + paddedSize(size)
  }

  /** The last one counts, as it would if the archive were extracted. */
  #set(path: string, entry: TarFile | TarLink | 'sparse'): void {
    if (this.#entries.has(path)) this.#repeated.add(path)
    this.#entries.set(path, entry)
  }
}

/** What precedes an entry and tells of it; `undefined` for an entry itself. */
async function readExtension(
  file: ArchiveFile,
  { type, size }: TarHeader,
  start: number,
  end: number,
): Promise<Extension | undefined> {
  if (!/[xgLK]/.test(type)) return undefined
  if (size > MAX_EXTENSION_BYTES) throw malformed('a damaged tar: an extended header has more than 1 MiB')
  if (start + size > end) throw cutShort('in the middle of an extended header')
  if (type === 'g') return {} // of the whole archive: comments
  const data = await file.read(start, size)
  if (type === 'L') return { path: upToZero(data) }
  if (type === 'K') return { linkPath: upToZero(data) }
  const records = parsePax(data)
  const path = records.get('path')
  const linkPath = records.get('linkpath')
  const stated = records.get('size')
  const statedSize = stated === undefined ? undefined : parsePaxNumber(stated)
  if (stated !== undefined && statedSize === undefined) {
    throw malformed('a damaged tar: an extended header has no size that can be read')
  }
  return {
    ...(path !== undefined && { path }),
    ...(linkPath !== undefined && { linkPath }),
    ...(statedSize !== undefined && { size: statedSize }),
    ...(isSparse(records) && { isSparse: true }),
  }
}

/** A hard link names a path from the root, a symbolic one from where it is. */
function linkTarget(path: string, header: TarHeader, extension: Extension): string | undefined {
  const target = extension.linkPath ?? header.linkPath
  if (header.type === '1') return cleanPath(target)
  return target.startsWith('/') ? undefined : cleanPath(`${posix.dirname(path)}/${target}`)
}

/** Without `./` and the like; `undefined` for what leads out. */
function cleanPath(path: string): string | undefined {
  if (path.startsWith('/') || path.includes('\0')) return undefined
  const clean = posix.normalize(path).replace(/\/$/, '')
  return clean === '..' || clean.startsWith('../') ? undefined : clean
}

function cutShort(where: string): Error {
  return malformed(`the tar is cut short: it ends ${where}`)
}

/** The last stretch that was read: the next header is often in it. */
class Window {
  readonly #file: ArchiveFile
  readonly #size: number
  #start = 0
  #content: Buffer = Buffer.alloc(0)

  constructor(file: ArchiveFile, size: number) {
    this.#file = file
    this.#size = size
  }

  async block(at: number): Promise<Buffer> {
    if (at < this.#start || at + BLOCK_BYTES > this.#start + this.#content.byteLength) {
      this.#content = await this.#file.read(at, Math.min(WINDOW_BYTES, this.#size - at))
      this.#start = at
    }
    return this.#content.subarray(at - this.#start, at - this.#start + BLOCK_BYTES)
  }
}
