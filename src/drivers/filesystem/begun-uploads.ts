const MAX_REMEMBERED = 10_000

/** Uploads that this process began, the latest of them; forgetting one costs a copy when it is sealed, and a sync when it is resumed. */
export class BegunUploads {
  /** By key: how many bytes are durable. */
  readonly #durable = new Map<string, number>()

  add(key: string): void {
    const oldest = this.#durable.size >= MAX_REMEMBERED ? this.#durable.keys().next().value : undefined
    if (oldest !== undefined) this.#durable.delete(oldest)
    this.#durable.set(key, 0)
  }

  has(key: string): boolean {
    return this.#durable.has(key)
  }

  /** Notes that an upload has `size` bytes now, all of them durable; nothing where it began elsewhere. */
  settled(key: string, size: number): void {
    if (this.#durable.has(key)) this.#durable.set(key, size)
  }

  isSettled(key: string, size: number): boolean {
    return this.#durable.get(key) === size
  }

  delete(key: string): void {
    this.#durable.delete(key)
  }
}
