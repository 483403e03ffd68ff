import type { RepositoriesOptions } from '../backend.ts'
import { inByteOrder } from './byte-order.ts'
import { REPOSITORIES } from './layout.ts'
import type { StorageCore } from './storage-core.ts'

/** Names of all repositories that hold a manifest (or, if so asked, a blob), in byte order. */
export function listRepositories(core: StorageCore, options: RepositoriesOptions = {}): AsyncGenerator<string> {
  const { after } = options
  const names = inByteOrder(walk(core, '', options), (name) => holdsContent(core, name, options))
  return after === undefined ? names : startingAfter(names, after)
}

/** Depth first, in the order of folders: a repository, then what lies inside it. */
async function* walk(core: StorageCore, parent: string, options: RepositoriesOptions): AsyncGenerator<string> {
  const children: string[] = []
  const content = contentFolders(options)
  let isRepository = false
  const folder = parent === '' ? REPOSITORIES : `${REPOSITORIES}/${parent}`
  for await (const entry of core.driver.list(folder, {
    shallow: true,
    ...(options.signal && { signal: options.signal }),
  })) {
    const name = entry.key.slice(folder.length + 1)
    if (!entry.isPrefix) continue
    if (content.includes(name)) isRepository = true
    // No repository name has a component that begins with "_": those are Distribution's folders and ours.
    else if (!name.startsWith('_')) children.push(parent === '' ? name : `${parent}/${name}`)
  }
  if (isRepository && parent !== '') yield parent
  for (const child of children) {
    if (mayHoldNamesAfter(child, options.after)) yield* walk(core, child, options)
  }
}

/** "0" is the character after "/": everything inside `folder` sorts before `folder0`. */
function mayHoldNamesAfter(folder: string, after: string | undefined): boolean {
  return after === undefined || `${folder}0` > after
}

async function holdsContent(core: StorageCore, name: string, options: RepositoriesOptions): Promise<boolean> {
  const { signal } = options
  for (const child of contentFolders(options)) {
    const folder = `${REPOSITORIES}/${name}/${child}`
    for await (const _ of core.driver.list(folder, { shallow: true, ...(signal && { signal }) })) return true
  }
  return false
}

/** The folders by which a repository is one. */
function contentFolders({ withBlobsOnly = false }: RepositoriesOptions): readonly string[] {
  return withBlobsOnly ? ['_manifests', '_layers'] : ['_manifests']
}

async function* startingAfter(names: AsyncIterable<string>, after: string): AsyncGenerator<string> {
  for await (const name of names) if (name > after) yield name
}
