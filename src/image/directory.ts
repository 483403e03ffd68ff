import type { BigIntStats } from 'node:fs'
import { constants, lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
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
  yield* openFile(pathOf(path), constants.O_RDONLY, entry, defaults)
}

async function* openFile(
  source: string,
  flags: number,
  entry: Attributes & { readonly name: string },
  defaults: Defaults,
): AsyncGenerator<PackEntry> {
  const handle = await about(source, open(source, flags))
  await using _ = handle
  const stats = await about(source, handle.stat({ bigint: true }))
  if (!stats.isFile()) throw new RegistryError('UNSUPPORTED', { message: `${source} is no file` })
  const size = Number(stats.size)
  const header = headerOf({ ...entry, type: 'file', size, isExecutable: isExecutable(stats) }, defaults)
  yield { header, content: readExactly(source, handle, size) }
}

/** Names of files that have several, by device and inode. */
type Links = Map<string, string>

async function* walk(directory: string, to: string, defaults: Defaults, links: Links): AsyncGenerator<PackEntry> {
  const names = await about(directory, readdir(directory))
  for (const name of names.sort()) {
    const path = join(directory, name)
    const target = joinPath(to, name)
    checkNoWhiteout(name)
    const stats = await about(path, lstat(path, { bigint: true }))
    if (stats.isDirectory()) {
      yield { header: headerOf({ name: target, type: 'directory' }, defaults) }
      yield* walk(path, target, defaults, links)
    } else yield* packOne(path, target, stats, defaults, links)
  }
}

async function* packOne(
  path: string,
  name: string,
  stats: BigIntStats,
  defaults: Defaults,
  links: Links,
): AsyncGenerator<PackEntry> {
  if (stats.isSymbolicLink()) {
    const linkname = (await about(path, readlink(path))).replaceAll('\\', '/')
    yield { header: headerOf({ name, type: 'symlink', linkname }, defaults) }
  } else if (stats.isFIFO()) yield { header: headerOf({ name, type: 'fifo' }, defaults) }
  else if (stats.isFile()) {
    const inode = `${stats.dev}:${stats.ino}`
    const linkname = links.get(inode)
    if (linkname !== undefined) yield { header: headerOf({ name, type: 'hardlink', linkname }, defaults) }
    else {
      if (stats.nlink > 1n) links.set(inode, name)
      // Not where somebody has put a symbolic link since it was looked at; Windows has no such flag.
      yield* openFile(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0), { name }, defaults)
    }
  } else {
    const kind = stats.isSocket() ? 'a socket' : 'a device'
    throw new RegistryError('UNSUPPORTED', { message: `${path} is ${kind}, which an image cannot hold: leave it out` })
  }
}

async function* readExactly(
  path: string,
  handle: Awaited<ReturnType<typeof open>>,
  size: number,
): AsyncGenerator<Uint8Array> {
  let left = size
  for (;;) {
    // At the end one byte more is asked for: a file that grows has no size to be told.
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, left + 1))
    const { bytesRead } = await about(path, handle.read(buffer, 0, buffer.byteLength))
    left -= bytesRead
    if (left < 0 || (bytesRead === 0 && left > 0)) {
      throw new RegistryError('UNKNOWN', { message: `${path} changed its size while it was read` })
    }
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
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
