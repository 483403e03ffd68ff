import type { FileOps } from '../drivers/filesystem/file-ops.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import { compareBytes } from '../storage/byte-order.ts'
import { type ArchiveFile, memoryFile } from './archive-file.ts'
import { readOnlyArchive } from './errors.ts'
import type { BlobFiles, BlobPlace, StagedBlob } from './layout-files.ts'
import type { IndexEntry, LayoutIndex } from './layout-index.ts'
import type { TarFile, TarIndex } from './tar-index.ts'

/** The blobs of an archive that is only read. */
export class ArchiveFiles implements BlobFiles {
  readonly #file: ArchiveFile
  readonly #places = new Map<Digest, TarFile>()
  /** Manifests that the archive does not have, made up from what it has. */
  readonly #made = new Map<Digest, Uint8Array>()

  constructor(file: ArchiveFile) {
    this.#file = file
  }

  get ops(): FileOps {
    return this.#file.ops
  }

  /** Everything at `blobs/<algorithm>/<hex>`. */
  addLayout(tar: TarIndex): void {
    for (const path of tar.paths()) {
      const [, algorithm, hex] = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/.exec(path) ?? []
      const digest = `${algorithm}:${hex}`
      if (!isDigest(digest)) continue
      const place = tar.find(path)
      if (place !== undefined) this.#places.set(digest, place)
    }
  }

  add(digest: Digest, place: TarFile): void {
    if (!this.#places.has(digest)) this.#places.set(digest, place)
  }

  addMade(digest: Digest, content: Uint8Array): void {
    this.#made.set(digest, content)
  }

  async size(digest: Digest): Promise<number | undefined> {
    return this.#places.get(digest)?.size ?? this.#made.get(digest)?.byteLength
  }

  async open(digest: Digest): Promise<BlobPlace | undefined> {
    const place = this.#places.get(digest)
    if (place !== undefined) return { file: this.#file.lease(), ...place }
    const made = this.#made.get(digest)
    return made && { file: memoryFile(this.ops, made), start: 0, size: made.byteLength }
  }

  async list(): Promise<readonly Digest[]> {
    return [...this.#places.keys(), ...this.#made.keys()].sort(compareBytes)
  }

  stage(): Promise<StagedBlob> {
    return Promise.reject(readOnlyArchive())
  }

  delete(): Promise<boolean> {
    return Promise.reject(readOnlyArchive())
  }
}

/** The index of an archive that is only read. */
export class ArchiveIndex implements LayoutIndex {
  readonly #entries: readonly IndexEntry[]

  constructor(entries: readonly IndexEntry[]) {
    this.#entries = entries
  }

  async read(): Promise<readonly IndexEntry[]> {
    return this.#entries
  }

  update(): Promise<void> {
    return Promise.reject(readOnlyArchive())
  }
}
