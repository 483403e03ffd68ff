import type { ListEntry, ListKeysOptions } from '../../storage/driver.ts'
import { isSegment } from '../key.ts'
import { isMissing } from './errors.ts'
import type { FileOps } from './file-ops.ts'

interface Listing {
  readonly ops: FileOps
  readonly root: string
  /** Folders that hold nothing of the store's, by key. */
  readonly hidden: ReadonlySet<string>
}

interface Child {
  readonly key: string
  /** What decides the order: a folder counts as `name/`. */
  readonly order: string
  readonly isFolder: boolean
}

/**
 * Walks a folder in byte order of keys, one directory in memory for each level. Only regular files and directories count:
 * a symbolic link could lead out of the root, and nothing of ours is one.
 */
export async function* listKeys(listing: Listing, prefix: string, options: ListKeysOptions): AsyncIterable<ListEntry> {
  const children = await readFolder(listing, prefix)
  const { after } = options
  for (const { key, order, isFolder } of children) {
    options.signal?.throwIfAborted()
    if (!isFolder) {
      if (after === undefined || order > after) yield { key, isPrefix: false }
    } else if (options.shallow) {
      if (after === undefined || order > after) yield { key, isPrefix: true }
    } else if (after === undefined || order > after || after.startsWith(order)) {
      yield* listKeys(listing, key, options)
    }
  }
}

async function readFolder({ ops, root, hidden }: Listing, prefix: string): Promise<Child[]> {
  const children: Child[] = []
  try {
    for (const entry of await ops.readdir(prefix === '' ? root : `${root}/${prefix}`)) {
      const isFolder = entry.isDirectory()
      if (!(isFolder || entry.isFile()) || !isSegment(entry.name)) continue
      const key = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      if (!(isFolder && hidden.has(key))) children.push({ key, order: isFolder ? `${key}/` : key, isFolder })
    }
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  return children.sort((a, b) => (a.order < b.order ? -1 : 1))
}
