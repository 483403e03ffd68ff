import type { RepositoriesOptions } from '../backend.ts'
import { inByteOrder, windowFor } from './byte-order.ts'
import type { ListEntry } from './driver.ts'
import { REPOSITORIES } from './layout.ts'
import type { StorageCore } from './storage-core.ts'

/** Entries of a folder that are read before it is known whether it is a repository: a page, as most stores count. */
const FIRST_ENTRIES = 1_000
/** Folders whose listing is asked for before their turn comes: each is a call to the store. */
const LOOK_AHEAD = 16

/**
 * Names of all repositories that hold a manifest (or, if so asked, a blob), in byte order. What comes before `after`, or after
 * the last name that is taken, is not looked at.
 */
export function listRepositories(core: StorageCore, options: RepositoriesOptions = {}): AsyncGenerator<string> {
  const { after, limit } = options
  const walk = new CatalogWalk(core, options)
  const names = inByteOrder(walk.below(''), (name) => walk.isRepository(name), windowFor(limit))
  return after === undefined ? names : startingAfter(names, after)
}

/** A folder whose listing has begun. */
interface OpenFolder {
  readonly name: string
  readonly isRepository: boolean
  /** Names of the folders in it that may hold names. */
  children(): AsyncGenerator<string>
  close(): Promise<void>
}

/** Depth first, in the order of folders: a repository, then what lies inside it. */
class CatalogWalk {
  readonly #core: StorageCore
  readonly #options: RepositoriesOptions
  /** The folders by which a repository is one. */
  readonly #content: readonly string[]

  constructor(core: StorageCore, options: RepositoriesOptions) {
    this.#core = core
    this.#options = options
    this.#content = options.withBlobsOnly ? ['_manifests', '_layers'] : ['_manifests']
  }

  async *below(parent: string): AsyncGenerator<string> {
    const folder = await this.#open(parent)
    try {
      yield* this.#within(folder)
    } finally {
      await folder.close()
    }
  }

  async isRepository(name: string): Promise<boolean> {
    for (const child of this.#content) {
      for await (const _ of this.#list(`${REPOSITORIES}/${name}/${child}`, 1)) return true
    }
    return false
  }

  async *#within(folder: OpenFolder): AsyncGenerator<string> {
    if (folder.isRepository) yield folder.name
    const ahead: Promise<OpenFolder>[] = []
    const children = folder.children()
    try {
      for (let hasMore = true; hasMore || ahead.length > 0; ) {
        while (hasMore && ahead.length < LOOK_AHEAD) {
          const next = await children.next()
          if (next.done) hasMore = false
          else ahead.push(this.#openAhead(next.value))
        }
        const [first] = ahead
        if (first === undefined) return
        const child = await first
        yield* this.#within(child)
        void ahead.shift()
        await child.close()
      }
    } finally {
      await children.return(undefined)
      for (const one of ahead) await one.then((child) => child.close()).catch(() => {}) // nobody asks for it any more
    }
  }

  #openAhead(name: string): Promise<OpenFolder> {
    const opening = this.#open(name)
    opening.catch(() => {}) // it may fail before its turn comes, and then says so again
    return opening
  }

  async #open(name: string): Promise<OpenFolder> {
    const { after } = this.#options
    const path = name === '' ? REPOSITORIES : `${REPOSITORIES}/${name}`
    const start = name === '' ? after : after?.startsWith(`${name}/`) ? after.slice(name.length + 1) : undefined
    const entries = this.#list(path, FIRST_ENTRIES, start === undefined ? undefined : `${path}/${placeOf(start)}`)
    const iterator = entries[Symbol.asyncIterator]()
    const first: ListEntry[] = []
    let isWhole = false
    while (!isWhole && first.length < FIRST_ENTRIES) {
      const next = await iterator.next()
      if (next.done) isWhole = true
      else first.push(next.value)
    }
    // A name that is not above `after` is not given, whatever it is.
    const isAsked = name !== '' && (after === undefined || name > after)
    const isSeen = first.some(({ key, isPrefix }) => isPrefix && this.#content.includes(key.slice(path.length + 1)))
    const children = () => this.#children(name, path, first, iterator)
    return {
      name,
      isRepository: isAsked && (isSeen || (!isWhole && (await this.isRepository(name)))),
      children,
      close: async () => void (await iterator.return?.()),
    }
  }

  async *#children(
    parent: string,
    path: string,
    first: readonly ListEntry[],
    rest: AsyncIterator<ListEntry>,
  ): AsyncGenerator<string> {
    const { after } = this.#options
    const childOf = ({ key, isPrefix }: ListEntry): string | undefined => {
      const name = key.slice(path.length + 1)
      // No repository name has a component that begins with "_": those are Distribution's folders and ours.
      if (!isPrefix || name.startsWith('_')) return undefined
      const child = parent === '' ? name : `${parent}/${name}`
      // "0" is the character after "/": everything inside `child` sorts before `child0`.
      return after === undefined || `${child}0` > after ? child : undefined
    }
    for (const entry of first) {
      const child = childOf(entry)
      if (child !== undefined) yield child
    }
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      const child = childOf(next.value)
      if (child !== undefined) yield child
    }
  }

  #list(folder: string, limit: number, after?: string): AsyncIterable<ListEntry> {
    const { signal } = this.#options
    return this.#core.driver.list(folder, {
      ...{ shallow: true, limit },
      ...(after !== undefined && { after }),
      ...(signal && { signal }),
    })
  }
}

/**
 * Where to begin within a folder, so that nothing is skipped that comes after `start`. If that lies deeper, in a folder `a`, all
 * that sorts before `a/` comes before it: `.` is the character before `/`, and `~` is above all that are in names.
 */
function placeOf(start: string): string {
  const slash = start.indexOf('/')
  return slash < 0 ? start : `${start.slice(0, slash)}.~`
}

async function* startingAfter(names: AsyncIterable<string>, after: string): AsyncGenerator<string> {
  for await (const name of names) if (name > after) yield name
}
