import type { Digest } from '../spec/digest.ts'
import { compareBytes } from '../storage/byte-order.ts'
import type { ArchiveFile } from './archive-file.ts'
import { blobPath } from './directory-files.ts'
import { closedArchive } from './errors.ts'
import type { BlobFiles, BlobPlace, StagedBlob } from './layout-files.ts'
import { temporaryFile } from './spool.ts'
import { formatEntry, paddedSize } from './tar-header.ts'

/** What is moved at once where bytes have to be. */
const COPIED_BYTES = 1024 * 1024

/** A stretch of the archive: an entry's headers, its data, and what fills the last block. */
interface Region {
  readonly at: number
  readonly length: number
}

interface Entry extends Region {
  /** Where the data begins. */
  readonly start: number
  /** Bytes of data. */
  readonly size: number
}

/**
 * The blobs of an archive that is being written. A blob whose size is known gets its place at once and is written there, many side by
 * side; one whose size is not known goes through a temporary file. What failed leaves a gap, which the next blob of that length fills,
 * or which is closed at the end.
 */
export class ArchiveSpace implements BlobFiles {
  readonly #file: ArchiveFile
  readonly #temporaryDirectory: string | undefined
  readonly #entries = new Map<Digest, Entry>()
  #gaps: Region[] = []
  readonly #start: number
  #end: number
  #isSealed = false

  /** @param start - where the first entry goes */
  constructor(file: ArchiveFile, start: number, temporaryDirectory: string | undefined) {
    this.#file = file
    this.#end = start
    this.#start = start
    this.#temporaryDirectory = temporaryDirectory
  }

  async size(digest: Digest): Promise<number | undefined> {
    return this.#entries.get(digest)?.size
  }

  async open(digest: Digest): Promise<BlobPlace | undefined> {
    const entry = this.#entries.get(digest)
    return entry && { file: this.#file.lease(), start: entry.start, size: entry.size }
  }

  async list(): Promise<readonly Digest[]> {
    return [...this.#entries.keys()].sort(compareBytes)
  }

  async stage(size: number | undefined): Promise<StagedBlob> {
    if (this.#isSealed) throw closedArchive()
    if (size !== undefined) return new StagedRegion(this, this.#file, this.#allocate(lengthOf(size)), size)
    return new StagedElsewhere(this, await temporaryFile(this.#temporaryDirectory))
  }

  async delete(digest: Digest): Promise<boolean> {
    const entry = this.#entries.get(digest)
    // Somebody may be reading it: the gap is not filled, only closed at the end.
    return entry !== undefined && this.#entries.delete(digest)
  }

  /** Nothing can be added from now on. */
  seal(): void {
    this.#isSealed = true
  }

  /** Closes the gaps, once nobody writes any more. Resolves with where the last entry ends. */
  async compact(): Promise<number> {
    let end = this.#start
    for (const [digest, entry] of [...this.#entries].sort(([, a], [, b]) => a.at - b.at)) {
      if (entry.at !== end) {
        await copy(this.#file, entry.at, this.#file, end, entry.length)
        this.#entries.set(digest, { ...entry, at: end, start: end + entry.start - entry.at })
      }
      end += entry.length
    }
    this.#end = end
    this.#gaps = []
    return end
  }

  /** Writes the headers before data that is in its place, and makes the blob known. */
  async settle(region: Region, start: number, digest: Digest, size: number): Promise<void> {
    const header = formatEntry({ path: blobPath(digest), size })
    const at = start - header.byteLength
    const length = header.byteLength + paddedSize(size)
    await writeFully(this.#file, header, at)
    await writeFully(this.#file, Buffer.alloc(paddedSize(size) - size), start + size)
    // What the headers do not need before the data, and what announced data did not need after it.
    this.free({ at: region.at, length: at - region.at })
    this.free({ at: at + length, length: region.at + region.length - at - length })
    if (this.#entries.has(digest)) this.free({ at, length })
    else this.#entries.set(digest, { at, length, start, size })
  }

  /** Copies data to a place of its own, and makes the blob known. */
  async adopt(source: ArchiveFile, from: number, digest: Digest, size: number): Promise<void> {
    if (this.#isSealed) throw closedArchive()
    const headerLength = formatEntry({ path: blobPath(digest), size }).byteLength
    const region = this.#allocate(headerLength + paddedSize(size))
    try {
      await copy(source, from, this.#file, region.at + headerLength, size)
      await this.settle(region, region.at + headerLength, digest, size)
    } catch (error) {
      this.free(region)
      throw error
    }
  }

  free(region: Region): void {
    if (region.length === 0) return
    if (region.at + region.length === this.#end) this.#end = region.at
    else this.#gaps.push(region)
  }

  #allocate(length: number): Region {
    const gap = this.#gaps.find((one) => one.length === length)
    if (gap !== undefined) {
      this.#gaps = this.#gaps.filter((one) => one !== gap)
      return gap
    }
    const at = this.#end
    this.#end += length
    return { at, length }
  }
}

/** Bytes that are written where they will stay. */
class StagedRegion implements StagedBlob {
  readonly maxBytes: number
  readonly #space: ArchiveSpace
  readonly #file: ArchiveFile
  readonly #region: Region
  readonly #start: number
  #isOver = false

  constructor(space: ArchiveSpace, file: ArchiveFile, region: Region, size: number) {
    this.#space = space
    this.#file = file
    this.#region = region
    this.maxBytes = size
    this.#start = region.at + headerLength(size)
  }

  async open(): Promise<{ readonly fd: number; readonly start: number }> {
    return { fd: this.#file.fd, start: this.#start }
  }

  async publish(digest: Digest, size: number): Promise<void> {
    // A longer digest than was thought of needs longer headers, which have no room here.
    if (formatEntry({ path: blobPath(digest), size }).byteLength <= headerLength(this.maxBytes)) {
      await this.#space.settle(this.#region, this.#start, digest, size)
      this.#isOver = true
      return
    }
    await this.#space.adopt(this.#file, this.#start, digest, size)
    await this.discard()
  }

  release(): Promise<void> {
    return Promise.resolve()
  }

  async discard(): Promise<void> {
    if (!this.#isOver) this.#space.free(this.#region)
    this.#isOver = true
  }
}

/** Bytes whose number only their end tells. */
class StagedElsewhere implements StagedBlob {
  readonly #space: ArchiveSpace
  readonly #file: ArchiveFile

  constructor(space: ArchiveSpace, file: ArchiveFile) {
    this.#space = space
    this.#file = file
  }

  async open(): Promise<{ readonly fd: number; readonly start: number }> {
    return { fd: this.#file.fd, start: 0 }
  }

  async publish(digest: Digest, size: number): Promise<void> {
    await this.#space.adopt(this.#file, 0, digest, size)
    await this.discard()
  }

  /** The file has no name by which it could be opened again. */
  release(): Promise<void> {
    return Promise.resolve()
  }

  discard(): Promise<void> {
    return this.#file.close()
  }
}

/** Bytes of the headers of a blob of the usual digest. */
function headerLength(size: number): number {
  return formatEntry({ path: blobPath(`sha256:${'0'.repeat(64)}`), size }).byteLength
}

function lengthOf(size: number): number {
  return headerLength(size) + paddedSize(size)
}

/** Also within one file, to a place before. */
async function copy(from: ArchiveFile, start: number, to: ArchiveFile, at: number, length: number): Promise<void> {
  for (let done = 0; done < length; done += COPIED_BYTES) {
    await writeFully(to, await from.read(start + done, Math.min(COPIED_BYTES, length - done)), at + done)
  }
}

export async function writeFully({ ops, fd }: ArchiveFile, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += await ops.write(fd, bytes, done, bytes.byteLength - done, at + done)
  }
}
