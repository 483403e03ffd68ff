import { Readable } from 'node:stream'
import type { Assembly, ObjectStore, OpenObject, Part, Source } from '../../src/drivers/object-store/object-store.ts'
import {
  KeyNotFoundError,
  type ListEntry,
  type ListKeysOptions,
  type ObjectStat,
  PreconditionFailedError,
  type ReadOptions,
} from '../../src/storage/driver.ts'

/** An object store within the test: for faults to be injected into, and for nothing else. */
export class MemoryObjectStore implements ObjectStore {
  readonly name = 'memory-objects'
  // Small, so that a blob of several parts is moved quickly.
  readonly minPartBytes = 40_000
  readonly partBytes = 65_536
  readonly objects = new Map<string, { readonly content: Buffer; readonly version: string }>()
  readonly assemblies = new Map<string, Map<number, Buffer>>()
  /** Streams handed out and not read to their end or destroyed. */
  readonly open_ = new Set<Readable>()
  #writes = 0

  async conditionalPuts(): Promise<boolean> {
    return true
  }

  async open(key: string, { range }: ReadOptions = {}): Promise<OpenObject | 'beyond'> {
    const found = this.objects.get(key)
    if (found === undefined) throw new KeyNotFoundError(key)
    const { start = 0, end = found.content.length } = range ?? {}
    if (range !== undefined && start >= found.content.length) return 'beyond'
    const content = found.content.subarray(start, end)
    const stream = Readable.from([content], { objectMode: false })
    this.open_.add(stream)
    stream.once('close', () => this.open_.delete(stream))
    return { stat: statOf(key, found), size: content.length, stream }
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    const found = this.objects.get(key)
    return found && statOf(key, found)
  }

  async put(key: string, content: Uint8Array, { ifVersion }: { readonly ifVersion?: string | null } = {}) {
    if (ifVersion !== undefined && (this.objects.get(key)?.version ?? null) !== ifVersion) {
      throw new PreconditionFailedError(key)
    }
    return this.#store(key, Buffer.from(content))
  }

  async delete(key: string, { ifVersion }: { readonly ifVersion?: string } = {}): Promise<void> {
    if (ifVersion !== undefined && this.objects.get(key)?.version !== ifVersion) throw new PreconditionFailedError(key)
    this.objects.delete(key)
  }

  async deleteAll(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.objects.delete(key)
  }

  async *pages(folder: string, { after = '', shallow }: ListKeysOptions): AsyncGenerator<readonly ListEntry[]> {
    const found = new Map<string, ListEntry>()
    for (const key of this.objects.keys()) {
      if (!key.startsWith(folder) || key < after) continue
      const slash = shallow ? key.indexOf('/', folder.length) : -1
      if (slash < 0) found.set(key, { key, isPrefix: false })
      else found.set(key.slice(0, slash + 1), { key: key.slice(0, slash), isPrefix: true })
    }
    const names = [...found.keys()].sort()
    yield names.flatMap((name) => found.get(name) ?? [])
  }

  async begin(): Promise<string> {
    const id = String(++this.#writes)
    this.assemblies.set(id, new Map())
    return id
  }

  async putPart({ id }: Assembly, number: number, content: Uint8Array): Promise<string> {
    const parts = this.assemblies.get(id)
    if (parts === undefined) throw new Error('no such assembly')
    parts.set(number, Buffer.from(content))
    return `${id}-${number}`
  }

  async complete({ id, key }: Assembly, parts: readonly Part[]): Promise<void> {
    const held = this.assemblies.get(id)
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    if (held === undefined) {
      if (this.objects.get(key)?.content.length === size) return
      throw new Error('no such assembly')
    }
    this.#store(key, Buffer.concat(parts.map(({ number }) => held.get(number) ?? Buffer.alloc(0))))
    this.assemblies.delete(id)
  }

  async abandon({ id }: Assembly): Promise<void> {
    this.assemblies.delete(id)
  }

  async abandonAll(): Promise<void> {}

  async copy(sources: readonly Source[], target: string): Promise<void> {
    const contents = sources.map(({ key }) => this.objects.get(key)?.content)
    if (contents.includes(undefined)) throw new KeyNotFoundError(target)
    this.#store(target, Buffer.concat(contents.flatMap((one) => one ?? [])))
  }

  #store(key: string, content: Buffer): string {
    const version = String(++this.#writes)
    this.objects.set(key, { content, version })
    return version
  }
}

function statOf(key: string, { content, version }: { readonly content: Buffer; readonly version: string }): ObjectStat {
  return { key, size: content.length, modifiedAt: new Date(), version }
}
