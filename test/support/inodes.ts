import type { FileStat } from '../../src/drivers/filesystem/file-ops.ts'

interface INode {
  readonly kind: 'file' | 'directory'
  data: Uint8Array
  readonly entries: Map<string, number>
  mtimeNs: bigint
  ctimeNs: bigint
  readonly birthtimeNs: bigint
}

export const ROOT = 1

/** A tree of files and directories, by number. */
export class INodes {
  readonly #nodes = new Map<number, INode>()
  #last = ROOT
  #clock = 1_700_000_000_000_000_000n

  constructor() {
    this.add(ROOT, 'directory')
  }

  next(): number {
    return ++this.#last
  }

  add(id: number, kind: 'file' | 'directory'): void {
    this.#last = Math.max(this.#last, id)
    const now = this.#tick()
    const times = { mtimeNs: now, ctimeNs: now, birthtimeNs: now }
    this.#nodes.set(id, { kind, data: new Uint8Array(), entries: new Map(), ...times })
  }

  get(id: number): INode {
    const node = this.#nodes.get(id)
    if (!node) throw new Error(`no inode ${id}`)
    return node
  }

  write(id: number, position: number, bytes: Uint8Array): void {
    const node = this.get(id)
    if (node.data.byteLength < position + bytes.byteLength) {
      const grown = new Uint8Array(position + bytes.byteLength)
      grown.set(node.data)
      node.data = grown
    } else {
      // Whoever reads holds a view of the old bytes, and clones share them.
      node.data = node.data.slice()
    }
    node.data.set(bytes, position)
    node.mtimeNs = this.#tick()
    node.ctimeNs = node.mtimeNs
  }

  setEntry(directory: number, name: string, target: number | undefined): void {
    const { entries } = this.get(directory)
    if (target === undefined) entries.delete(name)
    else entries.set(name, target)
  }

  stat(id: number): FileStat {
    const { kind, data, mtimeNs, ctimeNs, birthtimeNs } = this.get(id)
    const nlink = this.#countLinks(id)
    return {
      ino: BigInt(id),
      nlink,
      size: BigInt(data.byteLength),
      mtimeNs,
      ctimeNs,
      birthtimeNs,
      isFile: () => kind === 'file',
      isDirectory: () => kind === 'directory',
    }
  }

  /** The inode at a path, `undefined` where its last segment is not there. @throws ENOENT, ENOTDIR for the way to it */
  find(path: string, call: string): number | undefined {
    const segments = path.split('/').filter(Boolean)
    if (segments.length === 0) return ROOT
    const { node, name } = this.parentOf(path, call)
    const found = this.get(node).entries.get(name)
    if (path.endsWith('/') && found !== undefined && this.get(found).kind === 'file')
      throw systemError('ENOTDIR', call, path)
    return found
  }

  parentOf(path: string, call: string): { readonly node: number; readonly name: string } {
    const segments = path.split('/').filter(Boolean)
    const name = segments.pop() ?? ''
    let node = ROOT
    for (const segment of segments) {
      const next = this.get(node).entries.get(segment)
      if (next === undefined) throw systemError('ENOENT', call, path)
      if (this.get(next).kind === 'file') throw systemError('ENOTDIR', call, path)
      node = next
    }
    return { node, name }
  }

  files(node: number = ROOT, path = ''): string[] {
    return [...this.get(node).entries].flatMap(([name, id]) =>
      this.get(id).kind === 'file' ? [`${path}/${name}`] : this.files(id, `${path}/${name}`),
    )
  }

  clone(): INodes {
    const copy = new INodes()
    copy.#last = this.#last
    copy.#clock = this.#clock
    for (const [id, node] of this.#nodes) copy.#nodes.set(id, { ...node, entries: new Map(node.entries) })
    return copy
  }

  /** Without what no name leads to: a file system check would remove it. */
  reachable(): INodes {
    const copy = new INodes()
    copy.#last = this.#last
    copy.#clock = this.#clock
    const visit = (id: number): void => {
      const node = this.get(id)
      if (copy.#nodes.has(id) && id !== ROOT) return
      copy.#nodes.set(id, { ...node, entries: new Map(node.entries) })
      for (const target of node.entries.values()) visit(target)
    }
    visit(ROOT)
    return copy
  }

  #countLinks(id: number): bigint {
    if (this.get(id).kind === 'directory') return 2n
    let count = 0n
    for (const { entries } of this.#nodes.values()) for (const target of entries.values()) if (target === id) count++
    return count
  }

  /** Lets time go by. */
  advance(ms: number): void {
    this.#clock += BigInt(ms) * 1_000_000n
  }

  #tick(): bigint {
    this.#clock += 1_000_000n
    return this.#clock
  }
}

/** What the operating system would say. */
export function systemError(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code, syscall: call, path })
}
