import type { Upload } from '../backend.ts'
import { BufferPool } from '../drivers/filesystem/buffer-pool.ts'
import type { FileOps } from '../drivers/filesystem/file-ops.ts'
import type { BlobFiles } from './layout-files.ts'
import type { IndexEntry, LayoutIndex } from './layout-index.ts'
import { ManifestGraph } from './manifest-graph.ts'
import type { RepositoryNames } from './names.ts'

export interface LayoutParts {
  readonly ops: FileOps
  readonly files: BlobFiles
  readonly index: LayoutIndex
  readonly names: RepositoryNames
  /** Whether every change is refused. */
  readonly isReadOnly?: boolean
  /** Gives back what the files hold. */
  readonly close?: () => Promise<void>
}

export interface OpenUpload extends Upload {
  /** Where it was begun: nowhere else is it found. */
  readonly repository: string
}

/** What the stores of all repositories of one layout share. */
export class LayoutCore {
  readonly ops: FileOps
  readonly files: BlobFiles
  readonly index: LayoutIndex
  readonly names: RepositoryNames
  readonly graph: ManifestGraph
  readonly pool: BufferPool = new BufferPool()
  readonly isReadOnly: boolean
  /** By id: those that were begun and neither committed nor cancelled. */
  readonly uploads: Map<string, OpenUpload> = new Map()
  readonly #close: LayoutParts['close']

  constructor({ ops, files, index, names, isReadOnly = false, close }: LayoutParts) {
    this.isReadOnly = isReadOnly
    this.#close = close
    this.ops = ops
    this.files = files
    this.index = index
    this.names = names
    this.graph = new ManifestGraph(files)
  }

  /** The entries of one repository. */
  async entriesOf(repository: string): Promise<readonly IndexEntry[]> {
    return (await this.index.read()).filter((entry) => entry.repository === repository)
  }

  /** Drops the uploads that were neither committed nor cancelled, of one repository or of all. */
  async cancelUploads(repository?: string): Promise<void> {
    const doomed = [...this.uploads.values()].filter((one) => repository === undefined || one.repository === repository)
    await Promise.all(doomed.map((upload) => upload.cancel()))
  }

  /** Drops what uploads left, and gives back what the files hold. */
  async close(): Promise<void> {
    await this.cancelUploads()
    await this.#close?.()
  }
}
