/**
 * A file system in memory that remembers what a power loss would take: it implements the calls of the filesystem driver, and
 * keeps a journal of every change and every sync, from which the tree that survives a cut at any point can be rebuilt.
 *
 * The model is as strict as a file system may be. Content is durable up to the sync of its file; an entry of a directory is
 * durable only by a sync of that very directory; a sync covers what was done when it was called, not what was done while it ran.
 * One thing is taken from every journaling file system: a rename never loses both names.
 */
import { constants } from 'node:fs'
import type { FileOps, FileStat, FolderEntry } from '../../src/drivers/filesystem/file-ops.ts'
import { INodes, ROOT, systemError } from './inodes.ts'

type Change =
  | { readonly type: 'make'; readonly node: number; readonly kind: 'file' | 'directory' }
  | { readonly type: 'write'; readonly node: number; readonly position: number; readonly bytes: Uint8Array }
  /** `target` undefined: the name goes. `after`: the journal index of the change without which this one does not survive. */
  | {
      readonly type: 'entry'
      readonly node: number
      readonly name: string
      readonly target: number | undefined
      readonly after?: number
    }
  | { readonly type: 'sync'; readonly node: number; readonly upTo: number }
  | { readonly type: 'mark'; readonly mark: unknown }

/** What becomes of a change that was not synced. `torn`: some of the bytes; `zeros`: the size, but not the bytes. */
export type Fate = 'kept' | 'lost' | 'torn' | 'zeros'

export interface SimulatedDiskOptions {
  /** Syncs that report success and do nothing, to show that a test would notice. */
  readonly forget?: 'files' | 'directories'
  /** Decides how calls that run at once interleave. Default: each takes its turn. */
  readonly random?: () => number
}

export class SimulatedDisk implements FileOps {
  readonly #options: SimulatedDiskOptions
  readonly #start: INodes
  readonly #now: INodes
  readonly #journal: Change[] = []
  readonly #open = new Map<number, { readonly node: number; readonly path: string }>()
  #nextFd = 100

  /** `start` is what is there, durably, and is not changed. */
  constructor(options: SimulatedDiskOptions = {}, start: INodes = new INodes()) {
    this.#options = options
    this.#start = start
    this.#now = start.clone()
  }

  /** Changes so far: a cut may be at 0 up to this. */
  get length(): number {
    return this.#journal.length
  }

  /** Paths of the files and directories open now. */
  get openPaths(): string[] {
    return [...this.#open.values()].map(({ path }) => path)
  }

  /** Paths of all files. */
  get files(): string[] {
    return this.#now.files()
  }

  /** Lets time go by on the disk's clock. */
  advance(ms: number): void {
    this.#now.advance(ms)
  }

  /** Notes in the journal what was promised to somebody. */
  mark(mark: unknown): void {
    this.#journal.push({ type: 'mark', mark })
  }

  /** What was noted before the cut. */
  marks(cut: number): unknown[] {
    return this.#journal.slice(0, cut).flatMap((change) => (change.type === 'mark' ? [change.mark] : []))
  }

  /** The cuts that differ: after a promise, not before it, since nothing changes in between. */
  cuts(): number[] {
    return [...this.#journal.keys(), this.#journal.length].filter((cut) => this.#journal[cut]?.type !== 'mark')
  }

  /** How often files and directories were synced. */
  countSyncs(): { readonly files: number; readonly directories: number } {
    const synced = this.#journal.flatMap((change) => (change.type === 'sync' ? [this.#now.get(change.node).kind] : []))
    const files = synced.filter((kind) => kind === 'file').length
    return { files, directories: synced.length - files }
  }

  /** What is left when the power goes after `cut` changes; `fate` is asked for each of those that was not synced. */
  cutAt(cut: number, fate: () => Fate, options: SimulatedDiskOptions = {}): SimulatedDisk {
    const synced = new Map<number, number>()
    const before = this.#journal.slice(0, cut)
    for (const change of before) {
      if (change.type === 'sync') synced.set(change.node, Math.max(change.upTo, synced.get(change.node) ?? 0))
    }
    const left = this.#start.clone()
    const survived = new Set<number>()
    before.forEach((change, index) => {
      if (change.type === 'make') left.add(change.node, change.kind)
      if (change.type !== 'write' && change.type !== 'entry') return
      const what = index < (synced.get(change.node) ?? 0) ? 'kept' : fate()
      if (what === 'lost') return
      if (change.type === 'write') left.write(change.node, change.position, remains(change.bytes, what))
      else if (change.after === undefined || survived.has(change.after)) {
        survived.add(index)
        left.setEntry(change.node, change.name, change.target)
      }
    })
    return new SimulatedDisk(options, left.reachable())
  }

  async open(path: string, flags: number): Promise<number> {
    await this.#turn()
    let node = this.#now.find(path, 'open')
    if (node === undefined) {
      if (!(flags & constants.O_CREAT)) throw systemError('ENOENT', 'open', path)
      node = this.#make(path, 'file', 'open')
    } else if (flags & constants.O_EXCL) {
      throw systemError('EEXIST', 'open', path)
    }
    const { kind } = this.#now.get(node)
    if (kind === 'directory' && flags & (constants.O_WRONLY | constants.O_RDWR))
      throw systemError('EISDIR', 'open', path)
    if (kind === 'file' && flags & constants.O_DIRECTORY) throw systemError('ENOTDIR', 'open', path)
    const fd = this.#nextFd++
    this.#open.set(fd, { node, path })
    return fd
  }

  async close(fd: number): Promise<void> {
    await this.#turn()
    if (!this.#open.delete(fd)) throw systemError('EBADF', 'close', String(fd))
  }

  async read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    await this.#turn()
    const { kind, data } = this.#file(fd, 'read')
    if (kind === 'directory') throw systemError('EISDIR', 'read', String(fd))
    const bytes = data.subarray(position, position + length)
    buffer.set(bytes, offset)
    return bytes.byteLength
  }

  async write(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    await this.#turn()
    this.#file(fd, 'write')
    this.#write(this.#open.get(fd)?.node ?? 0, position, new Uint8Array(buffer.subarray(offset, offset + length)))
    return length
  }

  async fsync(fd: number): Promise<void> {
    const { kind } = this.#file(fd, 'fsync')
    const upTo = this.#journal.length
    // The slowest of all calls: much happens meanwhile.
    for (let turn = 0; turn < 4; turn++) await this.#turn()
    if (this.#options.forget === (kind === 'file' ? 'files' : 'directories')) return
    this.#journal.push({ type: 'sync', node: this.#open.get(fd)?.node ?? 0, upTo })
  }

  async futimes(fd: number, _atime: number, mtime: number): Promise<void> {
    await this.#turn()
    this.#file(fd, 'futimes').mtimeNs = BigInt(Math.floor(mtime * 1e6)) * 1000n
  }

  async fstat(fd: number): Promise<FileStat> {
    await this.#turn()
    this.#file(fd, 'fstat')
    return this.#now.stat(this.#open.get(fd)?.node ?? 0)
  }

  async lstat(path: string): Promise<FileStat> {
    await this.#turn()
    return this.#now.stat(this.#find(path, 'lstat'))
  }

  async link(existing: string, path: string): Promise<void> {
    await this.#turn()
    const node = this.#find(existing, 'link')
    if (this.#now.find(path, 'link') !== undefined) throw systemError('EEXIST', 'link', path)
    this.#setEntry(path, node, 'link')
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#turn()
    const node = this.#find(from, 'rename')
    const replaced = this.#now.find(to, 'rename')
    if (replaced === node) return
    const { kind } = this.#now.get(node)
    if (replaced !== undefined) {
      const other = this.#now.get(replaced)
      if (other.kind === 'directory' && kind === 'file') throw systemError('EISDIR', 'rename', to)
      if (other.kind === 'file' && kind === 'directory') throw systemError('ENOTDIR', 'rename', to)
      if (other.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to)
    }
    this.#setEntry(to, node, 'rename')
    this.#setEntry(from, undefined, 'rename', this.#journal.length - 1)
  }

  async unlink(path: string): Promise<void> {
    await this.#turn()
    if (this.#now.get(this.#find(path, 'unlink')).kind === 'directory') throw systemError('EISDIR', 'unlink', path)
    this.#setEntry(path, undefined, 'unlink')
  }

  async mkdir(path: string): Promise<string | undefined> {
    await this.#turn()
    const segments = path.split('/').filter(Boolean)
    let first: string | undefined
    for (let depth = 1; depth <= segments.length; depth++) {
      const folder = `/${segments.slice(0, depth).join('/')}`
      const node = this.#now.find(folder, 'mkdir')
      if (node !== undefined && this.#now.get(node).kind === 'file') throw systemError('EEXIST', 'mkdir', folder)
      if (node !== undefined) continue
      this.#make(folder, 'directory', 'mkdir')
      first ??= folder
    }
    return first
  }

  async mkdirAlone(path: string): Promise<void> {
    await this.#turn()
    if (this.#now.find(path, 'mkdir') !== undefined) throw systemError('EEXIST', 'mkdir', path)
    this.#make(path, 'directory', 'mkdir')
  }

  async rmdir(path: string): Promise<void> {
    await this.#turn()
    const node = this.#now.get(this.#find(path, 'rmdir'))
    if (node.kind === 'file') throw systemError('ENOTDIR', 'rmdir', path)
    if (node.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path)
    this.#setEntry(path, undefined, 'rmdir')
  }

  async readdir(path: string): Promise<FolderEntry[]> {
    await this.#turn()
    const node = this.#now.get(this.#find(path, 'readdir'))
    if (node.kind === 'file') throw systemError('ENOTDIR', 'readdir', path)
    return [...node.entries].map(([name, id]) => {
      const { kind } = this.#now.get(id)
      return { name, isFile: () => kind === 'file', isDirectory: () => kind === 'directory' }
    })
  }

  async realpath(path: string): Promise<string> {
    await this.#turn()
    this.#find(path, 'realpath')
    return path
  }

  async copyFile(from: string, to: string): Promise<void> {
    await this.#turn()
    const { data } = this.#now.get(this.#find(from, 'copyfile'))
    if (this.#now.find(to, 'copyfile') !== undefined) throw systemError('EEXIST', 'copyfile', to)
    this.#write(this.#make(to, 'file', 'copyfile'), 0, new Uint8Array(data))
  }

  async #turn(): Promise<void> {
    // Most calls are quick, some are overtaken by several of somebody else's.
    const turns = this.#options.random ? Math.floor(this.#options.random() ** 4 * 40) : 0
    for (let turn = 0; turn <= turns; turn++) await Promise.resolve()
  }

  #file(fd: number, call: string) {
    const open = this.#open.get(fd)
    if (!open) throw systemError('EBADF', call, String(fd))
    return this.#now.get(open.node)
  }

  #find(path: string, call: string): number {
    const node = this.#now.find(path, call)
    if (node === undefined) throw systemError('ENOENT', call, path)
    return node
  }

  #make(path: string, kind: 'file' | 'directory', call: string): number {
    const node = this.#now.next()
    this.#now.parentOf(path, call)
    this.#now.add(node, kind)
    this.#journal.push({ type: 'make', node, kind })
    this.#setEntry(path, node, call)
    return node
  }

  #write(node: number, position: number, bytes: Uint8Array): void {
    this.#now.write(node, position, bytes)
    this.#journal.push({ type: 'write', node, position, bytes })
  }

  #setEntry(path: string, target: number | undefined, call: string, after?: number): void {
    const { node, name } = this.#now.parentOf(path, call)
    this.#now.setEntry(node, name, target)
    this.#journal.push({ type: 'entry', node, name, target, ...(after !== undefined && { after }) })
  }
}

function remains(bytes: Uint8Array, fate: Fate): Uint8Array {
  if (fate === 'torn') return bytes.subarray(0, Math.floor(bytes.byteLength / 2))
  return fate === 'zeros' ? new Uint8Array(bytes.byteLength) : bytes
}

/** A path that is there from the start, with the directories to it. */
export function diskWith(path: string, options?: SimulatedDiskOptions): SimulatedDisk {
  const start = new INodes()
  let parent = ROOT
  for (const name of path.split('/').filter(Boolean)) {
    const node = start.next()
    start.add(node, 'directory')
    start.setEntry(parent, name, node)
    parent = node
  }
  return new SimulatedDisk(options, start)
}
