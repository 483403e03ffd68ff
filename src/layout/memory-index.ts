import { KeyedMutex } from '../drivers/keyed-mutex.ts'
import type { IndexChange, IndexEntry, LayoutIndex } from './layout-index.ts'

/** The index of an archive that is being written: it goes into the file at the end. */
export class MemoryIndex implements LayoutIndex {
  readonly #mutex = new KeyedMutex()
  #entries: readonly IndexEntry[] = []

  async read(): Promise<readonly IndexEntry[]> {
    return this.#entries
  }

  update(change: (entries: readonly IndexEntry[]) => Promise<IndexChange>): Promise<void> {
    return this.#mutex.run('', async () => {
      const { entries, after } = await change(this.#entries)
      this.#entries = entries
      await after?.()
    })
  }
}
