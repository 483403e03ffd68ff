/**
 * The calls to the operating system that the filesystem driver makes, one method each. `nodeFileOps` makes them; tests put
 * something in between that records them, fails them, or forgets what was not synced.
 *
 * Over the callback functions of `node:fs`, not `node:fs/promises`: its `FileHandle` costs about twice the CPU for small files.
 */
import * as fs from 'node:fs'
import { isMissing } from './errors.ts'

/** What `stat` tells that we use. Times in nanoseconds. */
export interface FileStat {
  readonly ino: bigint
  readonly nlink: bigint
  /** Bytes. */
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly birthtimeNs: bigint
  isFile(): boolean
  isDirectory(): boolean
}

export interface FolderEntry {
  readonly name: string
  isFile(): boolean
  isDirectory(): boolean
}

export interface FileOps {
  /** `flags` as in `fs.constants`; resolves with a file descriptor. */
  open(path: string, flags: number): Promise<number>
  close(fd: number): Promise<void>
  /** Up to `length` bytes at `position` of the file into `buffer` at `offset`; resolves with how many, 0 at the end. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  write(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  fsync(fd: number): Promise<void>
  /** Seconds since 1970. */
  futimes(fd: number, atime: number, mtime: number): Promise<void>
  fstat(fd: number): Promise<FileStat>
  lstat(path: string): Promise<FileStat>
  link(existing: string, path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** With parents; resolves with the first directory made, `undefined` where all were there. */
  mkdir(path: string): Promise<string | undefined>
  /** Without parents; `EEXIST` where it is there. */
  mkdirAlone(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  readdir(path: string): Promise<FolderEntry[]>
  realpath(path: string): Promise<string>
  /** To a new file, sharing blocks where the file system can. */
  copyFile(from: string, to: string): Promise<void>
}

export const nodeFileOps: FileOps = {
  open: (path, flags) => call((done) => fs.open(path, flags, done)),
  close: (fd) => run((done) => fs.close(fd, done)),
  read: (fd, buffer, offset, length, position) => call((done) => fs.read(fd, buffer, offset, length, position, done)),
  write: (fd, buffer, offset, length, position) => call((done) => fs.write(fd, buffer, offset, length, position, done)),
  fsync: (fd) => run((done) => fs.fsync(fd, done)),
  futimes: (fd, atime, mtime) => run((done) => fs.futimes(fd, atime, mtime, done)),
  fstat: (fd) => call((done) => fs.fstat(fd, { bigint: true }, done)),
  lstat: (path) => call((done) => fs.lstat(path, { bigint: true }, done)),
  link: (existing, path) => run((done) => fs.link(existing, path, done)),
  rename: (from, to) => run((done) => fs.rename(from, to, done)),
  unlink: (path) => run((done) => fs.unlink(path, done)),
  mkdir: (path) =>
    new Promise((resolve, reject) => {
      fs.mkdir(path, { recursive: true }, (error, made) => (error ? reject(error) : resolve(made)))
    }),
  mkdirAlone: (path) => run((done) => fs.mkdir(path, done)),
  rmdir: (path) => run((done) => fs.rmdir(path, done)),
  readdir: (path) => call((done) => fs.readdir(path, { withFileTypes: true }, done)),
  realpath: (path) => call((done) => fs.realpath.native(path, done)),
  copyFile: (from, to) =>
    run((done) => fs.copyFile(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE, done)),
}

function run(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())))
}

function call<T>(start: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))))
}

/** Nothing in the store is a symbolic link, and one could lead out of it. Not known on Windows. */
export const NOFOLLOW: number = fs.constants.O_NOFOLLOW ?? 0

/** Whether a name leads to anything. */
export async function isThere(ops: FileOps, path: string): Promise<boolean> {
  try {
    await ops.lstat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
