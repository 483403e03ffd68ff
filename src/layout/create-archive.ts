import { randomUUID } from 'node:crypto'
import { constants, ftruncate } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { checkChoice, checkOptions, kindOf } from '../arguments.ts'
import type { OperationContext } from '../backend.ts'
import { BufferPool } from '../drivers/filesystem/buffer-pool.ts'
import { DirectorySync } from '../drivers/filesystem/directory-sync.ts'
import { isMissing } from '../drivers/filesystem/errors.ts'
import { FileBody } from '../drivers/filesystem/file-body.ts'
import { type FileOps, nodeFileOps } from '../drivers/filesystem/file-ops.ts'
import { RegistryError } from '../errors.ts'
import type { Platform } from '../spec/descriptor.ts'
import { END_OF_ARCHIVE } from '../tar/pack-header.ts'
import { ArchiveFile } from './archive-file.ts'
import { ArchiveSpace, writeFully } from './archive-space.ts'
import { formatDockerItems } from './docker-items.ts'
import { fileOpsFor } from './errors.ts'
import { LayoutBackend } from './layout-backend.ts'
import { DEFAULT_REPOSITORY, type LayoutOptions } from './layout-directory.ts'
import { formatIndex, LAYOUT_FILE } from './layout-index.ts'
import { removeLeftover } from './leftovers.ts'
import { ManifestGraph } from './manifest-graph.ts'
import { MemoryIndex } from './memory-index.ts'
import { RepositoryNames } from './names.ts'
import { temporaryFile } from './spool.ts'
import { formatEntry, paddedSize } from './tar-header.ts'

export interface CreateArchiveOptions extends LayoutOptions {
  /**
   * `oci`: a tar of an OCI image layout. `docker`: the same with a `manifest.json`, as `docker save` writes it since Docker 25: `docker load`
   * of any version, `podman load` and `ctr image import` take it as well; all names are written in full.
   */
  readonly format: 'oci' | 'docker'
  /** Which of an image's platforms `manifest.json` names, which has room for one. Default: Linux on this machine's architecture. */
  readonly platform?: Platform
  /** Where temporary files are made. Default: the system's own place for them. */
  readonly temporaryDirectory?: string
}

/** An archive that is being written: nobody sees it before `finish()`. */
export interface NewArchive extends LayoutBackend {
  /**
   * Writes the index and puts the archive in its place, durably; to a stream, sends it, and ends the stream unless it is the standard output
   * of this process. Uploads that were neither committed nor cancelled are dropped. Nothing can be done with the backend from then on.
   */
  finish(context?: OperationContext): Promise<void>
  /** Without `finish()` before it, takes everything back: no file is left, nothing was sent. */
  close(): Promise<void>
}

/**
 * Begins an archive. Blobs go straight to their places in the file, side by side; it has its name only once it is whole, and replaces
 * what had it before. An archive for a stream is made as a temporary file first, and sent front to back: whoever reads it gets all or,
 * where something fails on the way, nothing.
 *
 * @throws `UNAVAILABLE` when no file can be made there, `NAME_UNKNOWN` when there is no such directory,
 * `UNSUPPORTED` for what is no file
 * @example
 * await using archive = await createArchive('images.tar', { format: 'docker' })
 * await pushTo(archive.repository('team/app'))
 * await archive.finish()
 */
export async function createArchive(target: string | Writable, options: CreateArchiveOptions): Promise<NewArchive> {
  checkOptions<CreateArchiveOptions>('createArchive()', options, {
    ...{ format: true, platform: true, repository: true, registry: true, temporaryDirectory: true },
  })
  if (options?.format === undefined) throw new TypeError("createArchive() needs a format: 'oci' or 'docker'")
  const { format, platform = hostPlatform(), repository = DEFAULT_REPOSITORY, registry, temporaryDirectory } = options
  checkChoice('format', format, ['oci', 'docker'])
  const names = new RepositoryNames({ repository, registry, nameDefault: format === 'docker' })
  const output = typeof target === 'string' ? await outputFile(target) : await outputStream(target, temporaryDirectory)
  const head = Buffer.concat(['blobs/', 'blobs/sha256/'].map((path) => formatEntry({ path, type: 'directory' })))
  const space = new ArchiveSpace(output.file, head.byteLength, temporaryDirectory)
  return new ArchiveWriter({ output, head, space, names, ...(format === 'docker' && { platform }) })
}

/** Where an archive goes. */
interface Output {
  readonly file: ArchiveFile
  /** Hands over the first `size` bytes of the file. */
  publish(size: number, signal?: AbortSignal): Promise<void>
  /** Takes away what is not published. */
  discard(): Promise<void>
}

interface WriterParts {
  readonly output: Output
  readonly head: Buffer
  readonly space: ArchiveSpace
  readonly names: RepositoryNames
  /** For `manifest.json`, where there is to be one. */
  readonly platform?: Platform
}

class ArchiveWriter extends LayoutBackend implements NewArchive {
  readonly #parts: WriterParts
  readonly #index: MemoryIndex
  #finished: Promise<void> | undefined

  constructor(parts: WriterParts) {
    const index = new MemoryIndex()
    const { output, space, names } = parts
    super({ ops: output.file.ops, files: space, index, names, close: () => output.discard() })
    this.#parts = parts
    this.#index = index
  }

  finish({ signal }: OperationContext = {}): Promise<void> {
    this.#finished ??= this.#finish(signal)
    return this.#finished
  }

  async #finish(signal: AbortSignal | undefined): Promise<void> {
    const { output, head, space } = this.#parts
    try {
      signal?.throwIfAborted()
      space.seal()
      await this.cancelUploads()
      let end = await space.compact()
      await writeFully(output.file, head, 0)
      for (const [path, content] of await this.#metadata()) {
        const padding = Buffer.alloc(paddedSize(content.byteLength) - content.byteLength)
        const entry = Buffer.concat([formatEntry({ path, size: content.byteLength }), content, padding])
        await writeFully(output.file, entry, end)
        end += entry.byteLength
      }
      await writeFully(output.file, END_OF_ARCHIVE, end)
      signal?.throwIfAborted()
      await output.publish(end + END_OF_ARCHIVE.byteLength, signal)
    } finally {
      await this.close()
    }
  }

  async #metadata(): Promise<readonly (readonly [path: string, content: Uint8Array])[]> {
    const { space, names, platform } = this.#parts
    const entries = await this.#index.read()
    const layout = [
      ['oci-layout', Buffer.from(LAYOUT_FILE)],
      ['index.json', formatIndex({ entries, rest: {} })],
    ] as const
    if (platform === undefined) return layout
    const graph = new ManifestGraph(space)
    return [...layout, ['manifest.json', await formatDockerItems(entries, { graph, names, platform })]]
  }
}

async function outputFile(path: string): Promise<Output> {
  if (path === '') throw new TypeError('createArchive() takes the path of a file, or a stream to write to')
  const ops = fileOpsFor(path)
  const target = await targetOf(ops, path)
  const prefix = `.${basename(target)}.wharfage-`
  const directory = dirname(target)
  const temporary = join(directory, prefix + randomUUID())
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
  const fd = await ops.open(temporary, flags).catch((error: unknown) => {
    if (!isMissing(error)) throw error
    throw new RegistryError('NAME_UNKNOWN', { message: `there is no directory ${directory}`, cause: error })
  })
  const file = new ArchiveFile(ops, fd)
  for (const { name } of await ops.readdir(directory).catch(() => [])) {
    if (name.startsWith(prefix)) await removeLeftover(ops, join(directory, name))
  }
  let isPublished = false
  return {
    file,
    publish: async (size) => {
      await truncate(file, size)
      await ops.fsync(fd)
      await file.close()
      await ops.rename(temporary, target)
      isPublished = true
      await new DirectorySync(nodeFileOps).sync(directory)
    },
    discard: async () => {
      await file.close()
      if (!isPublished) await ops.unlink(temporary).catch(ignoreMissing)
    },
  }
}

/** Where the archive will be: behind a symbolic link, what it leads to. A device or a pipe would be replaced by a file. */
async function targetOf(ops: FileOps, path: string): Promise<string> {
  const target = await ops.realpath(resolve(path)).catch((error: unknown) => {
    ignoreMissing(error)
    return resolve(path)
  })
  const there = await ops.lstat(target).catch(ignoreMissing)
  if (there === undefined || there.isFile()) return target
  throw new RegistryError('UNSUPPORTED', {
    message: there.isDirectory()
      ? `${path} is a directory: layoutDirectory() writes a layout in one`
      : `${path} is no file: hand in a stream that leads there`,
  })
}

async function outputStream(sink: Writable, temporaryDirectory: string | undefined): Promise<Output> {
  if (typeof (sink as { readonly write?: unknown } | null)?.write !== 'function') {
    throw new TypeError(`createArchive() takes the path of a file, or a stream to write to, not ${kindOf(sink)}`)
  }
  const file = await temporaryFile(temporaryDirectory)
  return {
    file,
    publish: async (size, signal) => {
      const body = new FileBody(file.lease(), new BufferPool(), 0, size)
      await pipeline(body.stream(), sink, { ...(signal && { signal }) })
    },
    discard: () => file.close(),
  }
}

/** Gaps at the end may have made it longer than it is. */
function truncate({ fd }: ArchiveFile, size: number): Promise<void> {
  return new Promise((done, fail) => ftruncate(fd, size, (error) => (error ? fail(error) : done())))
}

function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
}

/** In Go's words, which images are described in. */
function hostPlatform(): Platform {
  const renamed: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' }
  return { os: 'linux', architecture: renamed[process.arch] ?? process.arch }
}
