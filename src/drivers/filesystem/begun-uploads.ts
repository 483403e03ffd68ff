const MAX_REMEMBERED = 10_000

/** Keys of the uploads that this process began, the latest of them; forgetting one costs a copy when it is sealed. */
export class BegunUploads {
  readonly #keys = new Set<string>()

  add(key: string): void {
    const oldest = this.#keys.size >= MAX_REMEMBERED ? this.#keys.values().next().value : undefined
    if (oldest !== undefined) this.#keys.delete(oldest)
    this.#keys.add(key)
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  delete(key: string): void {
    this.#keys.delete(key)
  }
}
