import { constants } from 'node:fs'
import { Readable } from 'node:stream'
import { checkOptions, kindOf } from '../arguments.ts'
import type { ByteSource } from '../bytes.ts'
import { isMissing } from '../drivers/filesystem/errors.ts'
import { RegistryError } from '../errors.ts'
import { compressionOf, MAGIC_BYTES } from '../tar/compression.ts'
import { ArchiveFile } from './archive-file.ts'
import { ArchiveIndex } from './archive-files.ts'
import { readArchive } from './archive-reader.ts'
import { decompressArchive } from './decompress-archive.ts'
import { fileOpsFor, malformed } from './errors.ts'
import { LayoutBackend } from './layout-backend.ts'
import { DEFAULT_REPOSITORY, type LayoutOptions } from './layout-directory.ts'
import type { IndexEntry } from './layout-index.ts'
import { RepositoryNames } from './names.ts'
import { type SpoolOptions, spool } from './spool.ts'

export interface OpenArchiveOptions extends LayoutOptions, SpoolOptions {
  /**
   * The repository of what the archive has no full name for. Default: the one that everything else in the archive belongs to, if there is
   * exactly one; else `image`.
   */
  readonly repository?: string
  /** Bytes that a stream, or a compressed archive, may take as a temporary file. Default: as many as there is space for. */
  readonly maxBytes?: number
}

/**
 * Opens an archive to read: a tar of an OCI image layout, or what `docker save` writes, of any version since Docker 1.10. It is read
 * where it lies, nothing is extracted. A stream, and what is compressed with gzip (or zstd, from Node 22.15 on), goes through a
 * temporary file that is gone with `close()`.
 *
 * An old `docker save` has no manifests; one is made for each image, the same every time, with layers as they are: not compressed.
 *
 * @throws `MANIFEST_INVALID`, saying what was found instead; `NAME_UNKNOWN` when there is no such file
 * @example
 * await using archive = await openArchive('images.tar')
 * for await (const name of archive.repositories()) console.log(name)
 */
export async function openArchive(
  source: string | ByteSource,
  options: OpenArchiveOptions = {},
): Promise<LayoutBackend> {
  checkOptions<OpenArchiveOptions>('openArchive()', options, {
    ...{ repository: true, registry: true, temporaryDirectory: true, maxBytes: true, signal: true },
  })
  try {
    const { file, size } = await openSource(source, options)
    return await readOpened(file, size, options).catch(async (error: unknown) => {
      await file.close()
      throw error
    })
  } catch (error) {
    if (!RegistryError.is(error, 'MANIFEST_INVALID')) throw error
    throw malformed(`${typeof source === 'string' ? source : 'the stream'}: ${error.message}`, error)
  }
}

async function readOpened(file: ArchiveFile, size: number, options: OpenArchiveOptions): Promise<LayoutBackend> {
  const { repository, registry, signal } = options
  const names = new RepositoryNames({ repository: repository ?? DEFAULT_REPOSITORY, registry })
  const { files, entries } = await readArchive(file, size, names, signal)
  const only = repository === undefined ? onlyName(entries, names) : undefined
  // Named once more: entries without a name belong to the repository of those that have one.
  const all = only === undefined ? { names, entries } : renamed(entries, only, registry)
  const parts = { ops: file.ops, files, index: new ArchiveIndex(all.entries), names: all.names }
  return new LayoutBackend({ ...parts, isReadOnly: true, close: () => file.close() })
}

function renamed(
  entries: readonly IndexEntry[],
  repository: string,
  registry: string | undefined,
): { readonly names: RepositoryNames; readonly entries: readonly IndexEntry[] } {
  const names = new RepositoryNames({ repository, registry })
  return { names, entries: entries.map((entry) => ({ ...entry, repository })) }
}

/** The one repository that entries are named for, whatever others have no name. */
function onlyName(entries: readonly IndexEntry[], names: RepositoryNames): string | undefined {
  const named = new Set(entries.map(({ repository }) => repository))
  named.delete(names.default)
  return named.size === 1 ? [...named][0] : undefined
}

interface Opened {
  readonly file: ArchiveFile
  readonly size: number
}

async function openSource(source: string | ByteSource, options: OpenArchiveOptions): Promise<Opened> {
  if (typeof source === 'string') return openPath(source, options)
  if (
    !(source instanceof Uint8Array || (typeof source === 'object' && source !== null && Symbol.asyncIterator in source))
  ) {
    throw new TypeError(
      `openArchive() takes the path of an archive, its bytes or a stream of them, not ${kindOf(source)}`,
    )
  }
  return spoolPlain(source instanceof Uint8Array ? Readable.from([source]) : source, options)
}

async function openPath(path: string, options: OpenArchiveOptions): Promise<Opened> {
  const ops = fileOpsFor(path)
  const fd = await ops.open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((error: unknown) => {
    if (!isMissing(error)) throw error
    throw new RegistryError('NAME_UNKNOWN', { message: `there is no archive ${path}`, cause: error })
  })
  const file = new ArchiveFile(ops, fd)
  try {
    const stat = await ops.fstat(fd)
    if (stat.isDirectory()) throw malformed('a directory: layoutDirectory() reads a layout in one')
    if (!stat.isFile()) throw malformed('no file: hand it in as a stream')
    const size = Number(stat.size)
    const start = await file.read(0, Math.min(MAGIC_BYTES, size))
    if (compressionOf(start) === 'none') return { file, size }
    const plain = await spoolPlain(chunksOf(file, size), options)
    await file.close()
    return plain
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Into a temporary file, decompressed where it is compressed. */
async function spoolPlain(content: AsyncIterable<Uint8Array>, options: OpenArchiveOptions): Promise<Opened> {
  const { maxBytes = Number.POSITIVE_INFINITY } = options
  const iterator = content[Symbol.asyncIterator]()
  try {
    let start = Buffer.alloc(0)
    for (let step = await iterator.next(); ; step = await iterator.next()) {
      if (step.done) return await spool(start, { ...options, maxBytes })
      start = Buffer.concat([start, step.value])
      if (start.byteLength >= MAGIC_BYTES) break
    }
    const compression = compressionOf(start)
    const whole = rest(start, iterator)
    return await spool(compression === 'none' ? whole : decompressArchive(whole, compression), { ...options, maxBytes })
  } finally {
    await iterator.return?.()
  }
}

async function* rest(start: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield start
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) yield step.value
}

async function* chunksOf(file: ArchiveFile, size: number): AsyncGenerator<Uint8Array> {
  const length = 1024 * 1024
  for (let at = 0; at < size; at += length) yield await file.read(at, Math.min(length, size - at))
}
