import { KeyedMutex } from '../drivers/keyed-mutex.ts'
import { malformed } from './errors.ts'
import type { LayoutFolder } from './layout-folder.ts'
import {
  formatIndex,
  type IndexChange,
  type IndexDocument,
  type IndexEntry,
  type LayoutIndex,
  parseIndex,
} from './layout-index.ts'
import { withLock } from './lock-file.ts'
import type { RepositoryNames } from './names.ts'

const INDEX = 'index.json'
const LOCK = 'lock'
const EMPTY: IndexDocument = { entries: [], rest: {} }

/**
 * The `index.json` of a directory. It is read anew when the file has changed, whoever changed it, and replaced as a whole. Changes of
 * several processes are kept apart by a lock file, those of programs that know of none are not.
 */
export class DirectoryIndex implements LayoutIndex {
  readonly #folder: LayoutFolder
  readonly #names: RepositoryNames
  readonly #mutex = new KeyedMutex()
  #known: { readonly version: string; readonly document: IndexDocument } | undefined

  constructor(folder: LayoutFolder, names: RepositoryNames) {
    this.#folder = folder
    this.#names = names
  }

  async read(): Promise<readonly IndexEntry[]> {
    return (await this.#read()).entries
  }

  update(change: (entries: readonly IndexEntry[]) => Promise<IndexChange>): Promise<void> {
    return this.#mutex.run(INDEX, async () => {
      await this.#folder.ensure()
      await withLock(this.#folder.ops, this.#folder.temporary(LOCK), async () => {
        const { entries, rest } = await this.#read()
        const { entries: changed, after } = await change(entries)
        const document = { entries: changed, rest }
        this.#known = { version: await this.#folder.write(INDEX, formatIndex(document)), document }
        await after?.()
      })
    })
  }

  async #read(): Promise<IndexDocument> {
    const isLayout = await this.#folder.check()
    const version = await this.#folder.version(INDEX)
    if (version !== undefined && version === this.#known?.version) return this.#known.document
    const content = await this.#folder.read(INDEX)
    if (content === undefined) {
      if (isLayout && !this.#folder.mayCreate) throw malformed(`${this.#folder.path} has no ${INDEX}`)
      return EMPTY
    }
    const document = parseIndex(content, `${this.#folder.path}/${INDEX}`, this.#names)
    this.#known = version === undefined ? undefined : { version, document }
    return document
  }
}
