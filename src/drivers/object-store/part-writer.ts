/** Part buffers that an upload holds at most: one being filled, the others on their way to the store. */
const PARTS_HELD = 3
const FIRST_BUFFER_BYTES = 64 * 1024

/** Where parts go. */
export interface PartSink {
  /** Bytes of the part that comes next. */
  partBytes(): number
  /** Called in order, and not waited for before the next one. `content` is lent until it resolves; the bytes are durable then. */
  put(content: Uint8Array): Promise<void>
  /** Called, where it is there, before each part; nothing is on its way while it runs that it would have to wait for. */
  beforePart?(): (() => Promise<void>) | undefined
}

/** Cuts what arrives into parts and hands them on, several at a time, in bounded memory. */
export class PartWriter {
  readonly #sink: PartSink
  readonly #observe: ((bytes: Uint8Array) => void) | undefined
  readonly #onTheirWay = new Set<Promise<void>>()
  #buffer: PartBuffer
  #failed: { readonly error: unknown } | undefined

  constructor(sink: PartSink, observe?: (bytes: Uint8Array) => void) {
    this.#sink = sink
    this.#observe = observe
    this.#buffer = new PartBuffer(sink.partBytes())
  }

  /** Bytes that came and are in no part yet. */
  get rest(): Uint8Array {
    return this.#buffer.content()
  }

  /** Takes a chunk, which may change again once the promise resolves, or, where there is none, after the call. */
  accept(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failed) throw this.#failed.error
    const taken = this.#take(chunk)
    return this.#buffer.isFull ? this.#goOn(chunk.subarray(taken)) : undefined
  }

  /** Puts bytes in front of those to come, which are not shown to `observe`. */
  prepend(content: Uint8Array): void {
    this.#buffer.fill(content)
  }

  /** Hands on what is left, as a last part. */
  async flush(): Promise<void> {
    if (this.#buffer.size > 0) await this.#dispatch()
  }

  /** Waits for everything that is on its way. @throws what one of the parts met with */
  async settle(): Promise<void> {
    while (this.#onTheirWay.size > 0) await Promise.all(this.#onTheirWay)
    if (this.#failed) throw this.#failed.error
  }

  async #goOn(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    for (;;) {
      await this.#dispatch()
      rest = rest.subarray(this.#take(rest))
      if (!this.#buffer.isFull) return
    }
  }

  #take(chunk: Uint8Array): number {
    const taken = this.#buffer.fill(chunk)
    if (taken > 0) this.#observe?.(taken === chunk.byteLength ? chunk : chunk.subarray(0, taken))
    return taken
  }

  async #dispatch(): Promise<void> {
    while (this.#onTheirWay.size >= PARTS_HELD - 1) await Promise.race(this.#onTheirWay)
    const first = this.#sink.beforePart?.()
    if (first) {
      await this.settle()
      await first()
    }
    if (this.#failed) throw this.#failed.error
    const buffer = this.#buffer
    const written = this.#sink
      .put(buffer.content())
      .catch((error: unknown) => {
        this.#failed ??= { error }
      })
      .finally(() => this.#onTheirWay.delete(written))
    this.#onTheirWay.add(written)
    this.#buffer = new PartBuffer(this.#sink.partBytes())
  }
}

/** Grows as it fills: most uploads are far smaller than a part. */
class PartBuffer {
  readonly #capacity: number
  #bytes: Uint8Array
  size = 0

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#bytes = new Uint8Array()
  }

  get isFull(): boolean {
    return this.size >= this.#capacity
  }

  content(): Uint8Array {
    return this.#bytes.subarray(0, this.size)
  }

  /** Returns how many bytes there was room for. */
  fill(chunk: Uint8Array): number {
    const taken = Math.min(chunk.byteLength, this.#capacity - this.size)
    if (this.size + taken > this.#bytes.byteLength) this.#grow(this.size + taken)
    this.#bytes.set(taken === chunk.byteLength ? chunk : chunk.subarray(0, taken), this.size)
    this.size += taken
    return taken
  }

  #grow(needed: number): void {
    const doubled = Math.max(needed, 2 * this.#bytes.byteLength, FIRST_BUFFER_BYTES)
    // Not out of Node's shared pool: the bytes stay for as long as the store takes.
    const bytes = Buffer.allocUnsafeSlow(Math.min(doubled, this.#capacity))
    bytes.set(this.content())
    this.#bytes = bytes
  }
}
