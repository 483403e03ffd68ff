/** A set of strings in byte order (they are ASCII), for listings that start anywhere. */
export class SortedKeys {
  readonly #keys: string[] = []

  add(key: string): void {
    const at = this.#firstNotBelow(key)
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key)
  }

  delete(key: string): void {
    const at = this.#firstNotBelow(key)
    if (this.#keys[at] === key) this.#keys.splice(at, 1)
  }

  /** The smallest key `>= bound`. */
  atLeast(bound: string): string | undefined {
    return this.#keys[this.#firstNotBelow(bound)]
  }

  /** The smallest key `> bound`. */
  above(bound: string): string | undefined {
    const at = this.#firstNotBelow(bound)
    return this.#keys[at] === bound ? this.#keys[at + 1] : this.#keys[at]
  }

  #firstNotBelow(bound: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] ?? '') < bound) low = middle + 1
      else high = middle
    }
    return low
  }
}
