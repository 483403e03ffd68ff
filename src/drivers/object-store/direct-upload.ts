import type { ByteSource } from '../../bytes.ts'
import { type AppendOptions, KeyNotFoundError, type SealedUpload } from '../../storage/driver.ts'
import { consume } from '../consume.ts'
import type { Assembly, ObjectStore, Part } from './object-store.ts'
import { assembledPartBytes, PART_BYTES } from './part-sizes.ts'
import { PartWriter } from './part-writer.ts'

/**
 * An upload of one request that goes straight to where it will be published: a small one waits in memory for its one write, a
 * larger one is assembled in place. Nothing is copied, and nobody else can find it.
 */
export class DirectUpload {
  readonly #store: ObjectStore
  readonly #parts: AssembledParts
  readonly #target: string
  #writer: PartWriter | undefined
  #state: 'open' | 'published' | 'gone' = 'open'
  size = 0

  constructor(store: ObjectStore, target: string, scratch: string) {
    this.#store = store
    this.#target = target
    this.#parts = new AssembledParts(store, target, scratch)
  }

  /** Once. An interrupted one leaves nothing. */
  async append(content: ByteSource, { observe, signal }: AppendOptions): Promise<void> {
    const writer = new PartWriter(this.#parts, (bytes) => {
      this.size += bytes.byteLength
      observe?.(bytes)
    })
    this.#writer = writer
    try {
      await consume(content, (chunk) => writer.accept(chunk), signal)
    } catch (error) {
      await this.discard()
      throw error
    }
  }

  async seal(): Promise<SealedUpload> {
    return {
      size: this.size,
      exclusive: true,
      read: () => Promise.reject(new Error('the bytes went straight to where they will be published')),
    }
  }

  async commit(target: string): Promise<void> {
    if (this.#state === 'published') return
    const writer = this.#writer
    if (this.#state === 'gone' || writer === undefined) throw new KeyNotFoundError(target)
    if (target !== this.#target) throw new Error(`the bytes went towards ${this.#target}, not ${target}`)
    if (this.#parts.hasBegun) {
      await writer.flush()
      await writer.settle()
      await this.#parts.complete()
    } else {
      await this.#store.put(target, writer.rest)
    }
    this.#state = 'published'
  }

  async discard(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'gone'
    this.size = 0
    await this.#writer?.settle().catch(() => {}) // why it was given up is known already
    await this.#parts.abandon()
  }
}

/** Parts of an object that is assembled where it will appear. */
class AssembledParts {
  readonly #store: ObjectStore
  readonly #place: Omit<Assembly, 'id'>
  #assembly: Promise<Assembly> | undefined
  readonly #parts: Part[] = []
  #count = 0

  constructor(store: ObjectStore, key: string, scratch: string) {
    this.#store = store
    this.#place = { key, scratch }
  }

  get hasBegun(): boolean {
    return this.#assembly !== undefined
  }

  partBytes(): number {
    return assembledPartBytes(this.#count, this.#store.partBytes ?? PART_BYTES)
  }

  async put(content: Uint8Array): Promise<void> {
    const number = ++this.#count
    const assembly = await this.#begun()
    const tag = await this.#store.putPart(assembly, number, content)
    this.#parts.push({ number, size: content.byteLength, tag })
  }

  async complete(): Promise<void> {
    await this.#store.complete(
      await this.#begun(),
      this.#parts.sort((a, b) => a.number - b.number),
    )
  }

  async abandon(): Promise<void> {
    if (this.#assembly === undefined) return
    const assembly = await this.#assembly.catch(() => undefined) // never begun
    if (assembly !== undefined) await this.#store.abandon(assembly, this.#parts)
  }

  #begun(): Promise<Assembly> {
    this.#assembly ??= this.#store.begin(this.#place).then((id) => ({ ...this.#place, id }))
    return this.#assembly
  }
}
