import type { BigIntStats, Dirent } from 'node:fs'
import { constants, type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RegistryError } from '../errors.ts'
import type { PackEntry } from '../tar/pack-tar.ts'
import { type Attributes, type Defaults, headerOf } from './attributes.ts'
import { checkNoWhiteout, joinPath } from './entry-path.ts'

/** Bytes that are read of a file at a time. */
const READ_BYTES = 256 * 1024

/**
 * A directory or file of this machine as entries below `to`, each directory before what is in it and everything in the order of its names:
 * the same files are the same entries, whatever machine, owner, umask and order of the disk. Names and one file's piece are held.
 *
 * @throws `RegistryError` `UNSUPPORTED` for sockets and devices, `UNKNOWN` for what cannot be read or changes meanwhile
 */
export async function* packDirectory(path: string | URL, to: string, defaults: Defaults): AsyncGenerator<PackEntry> {
  const root = pathOf(path)
  const stats = await about(root, lstat(root, { bigint: true }))
  const name = root.split(/[\\/]/).findLast((part) => part !== '') ?? ''
  if (stats.isDirectory()) yield* walk(root, to, defaults, new Map())
  else yield* packOne(root, joinPath(to, name), stats, defaults, new Map())
}

/** One file under whatever name; a symbolic link is followed. */
export async function* fileEntry(
  path: string | URL,
  entry: Attributes & { readonly name: string },
  defaults: Defaults,
): AsyncGenerator<PackEntry> {
  const source = pathOf(path)
  yield* openFile({ path: source, flags: constants.O_RDONLY, entry, links: new Map() }, defaults)
}

/** Names of files that have several, by device and inode. */
type Links = Map<string, string>

async function* walk(directory: string, to: string, defaults: Defaults, links: Links): AsyncGenerator<PackEntry> {
  const found = await about(directory, readdir(directory, { withFileTypes: true }))
  for (const kind of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, kind.name)
    const name = joinPath(to, kind.name)
    checkNoWhiteout(kind.name)
    if (kind.isDirectory()) {
      yield { header: headerOf({ name, type: 'directory' }, defaults) }
      yield* walk(path, name, defaults, links)
    } else yield* packOne(path, name, kind, defaults, links)
  }
}

async function* packOne(
  path: string,
  name: string,
  kind: Dirent | BigIntStats,
  defaults: Defaults,
  links: Links,
): AsyncGenerator<PackEntry> {
  if (kind.isFile()) {
    // Not where somebody has put a symbolic link since it was looked at; Windows has no such flag.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
    yield* openFile({ path, flags, entry: { name }, links }, defaults)
  } else if (kind.isSymbolicLink()) {
    const linkname = (await about(path, readlink(path))).replaceAll(sep, '/')
    yield { header: headerOf({ name, type: 'symlink', linkname }, defaults) }
  } else if (kind.isFIFO()) yield { header: headerOf({ name, type: 'fifo' }, defaults) }
  else {
    const what = kind.isSocket() ? 'a socket' : 'a device'
    throw new RegistryError('UNSUPPORTED', { message: `${path} is ${what}, which an image cannot hold: leave it out` })
  }
}

interface FileToOpen {
  readonly path: string
  readonly flags: number
  readonly entry: Attributes & { readonly name: string }
  readonly links: Links
}

/** The file, or a link to the name by which it has been met already. It is open while its entry is read. */
async function* openFile({ path, flags, entry, links }: FileToOpen, defaults: Defaults): AsyncGenerator<PackEntry> {
  const handle = await about(path, open(path, flags))
  await using _ = handle
  const stats = await about(path, handle.stat({ bigint: true }))
  if (!stats.isFile()) throw new RegistryError('UNSUPPORTED', { message: `${path} is no file` })
  const inode = `${stats.dev}:${stats.ino}`
  const linkname = stats.nlink > 1n ? links.get(inode) : undefined
  if (linkname !== undefined) {
    yield { header: headerOf({ ...entry, type: 'hardlink', linkname }, defaults) }
    return
  }
  if (stats.nlink > 1n) links.set(inode, entry.name)
  const size = Number(stats.size)
  const header = headerOf({ ...entry, type: 'file', size, isExecutable: isExecutable(stats) }, defaults)
  yield { header, content: readExactly(path, handle, size) }
}

async function* readExactly(path: string, handle: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  let left = size
  for (;;) {
    // One byte more than there should be is asked for at the end: a file that has grown has no size to be told.
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, left + 1))
    const { bytesRead } = await about(path, handle.read(buffer, 0, buffer.byteLength))
    left -= bytesRead
    if (left < 0 || (bytesRead === 0 && left > 0)) {
      throw new RegistryError('UNKNOWN', { message: `${path} changed its size while it was read` })
    }
    if (bytesRead > 0) yield buffer.subarray(0, bytesRead)
    if (left === 0 && bytesRead < buffer.byteLength) return
  }
}

function isExecutable({ mode }: BigIntStats): boolean {
  return (mode & 0o100n) !== 0n
}

function pathOf(path: string | URL): string {
  return typeof path === 'string' ? path : fileURLToPath(path)
}

async function about<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RegistryError('UNKNOWN', { message: `${path} cannot be read: ${reason}`, cause })
  }
}
