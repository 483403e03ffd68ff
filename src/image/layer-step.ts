import { checkAmount, checkOptions, kindOf } from '../arguments.ts'
import type { ByteSource } from '../bytes.ts'
import { type PlatformName, parsePlatform } from '../spec/platform.ts'
import type { PackEntry } from '../tar/pack-tar.ts'
import { packArchive } from './archive.ts'
import { type Defaults, headerOf, type LayerAttributes } from './attributes.ts'
import { packDirectory } from './directory.ts'
import { entryPath, whiteoutOf } from './entry-path.ts'
import { addParents } from './parents.ts'
import { type Content, checkTree, type FileTree, packTree } from './tree.ts'

export interface AddOptions extends LayerAttributes {
  /** The directory of the image that it goes to. Default: `/`. */
  readonly to?: string
  /** Of an image for several platforms, those that get this. Default: all. */
  readonly platforms?: readonly PlatformName[]
  /** What the image's history says of it. */
  readonly comment?: string
}

/** One layer that is still to be made. */
export interface LayerStep {
  readonly comment: string
  readonly platforms: readonly PlatformName[] | undefined
  /** @param isOnBase - whether there are layers below that this knows nothing of */
  entries(created: Date, isOnBase: boolean): AsyncIterable<PackEntry>
}

/** A path of this machine; a tar, compressed or not; or files by their paths. */
export type Addition = string | URL | Content | FileTree

/** @throws `TypeError` for what cannot be added, and options that there are not */
export function addStep(addition: Addition, options: AddOptions = {}): LayerStep {
  checkOptions<AddOptions>('add()', options, {
    to: true,
    uid: true,
    gid: true,
    mode: true,
    directoryMode: true,
    mtime: true,
    platforms: true,
    comment: true,
  })
  const { to: directory = '/', platforms, comment, ...attributes } = options
  for (const name of ['uid', 'gid', 'mode', 'directoryMode'] as const) checkAmount(name, attributes[name])
  platforms?.forEach(parsePlatform)
  const to = entryPath(directory)
  const common = { comment: comment ?? `add to /${to}`, platforms }
  const settled = (created: Date): Defaults => ({ ...attributes, mtime: attributes.mtime ?? created })
  if (typeof addition === 'string' || addition instanceof URL) {
    return {
      ...common,
      entries: (created, isOnBase) => {
        const defaults = settled(created)
        return addParents(packDirectory(addition, to, defaults), { defaults, isOnBase, keepsOwn: false })
      },
    }
  }
  if (isContent(addition)) {
    const once = readOnce(addition)
    return { ...common, entries: () => packArchive(once, to, attributes) }
  }
  if (typeof addition !== 'object' || addition === null || Array.isArray(addition)) {
    throw new TypeError(`add() takes a path, a tar, or an object of files by their paths, not ${kindOf(addition)}`)
  }
  const tree = checkTree(addition)
  return {
    ...common,
    entries: (created, isOnBase) => {
      const defaults = settled(created)
      return addParents(packTree(tree, to, defaults), { defaults, isOnBase, keepsOwn: true })
    },
  }
}

/** @throws `TypeError` for the root, and paths out of it */
export function removeStep(paths: readonly string[]): LayerStep {
  const removed = [...new Set(paths.map(entryPath))].sort()
  if (removed.length === 0 || removed.includes(''))
    throw new TypeError('remove() takes paths of what is to be gone, the root not being one')
  return {
    comment: `remove ${removed.map((path) => `/${path}`).join(' ')}`,
    platforms: undefined,
    async *entries(mtime) {
      for (const path of removed) yield { header: headerOf({ name: whiteoutOf(path), type: 'file' }, { mtime }) }
    },
  }
}

function isContent(addition: Content | FileTree): addition is Content {
  return typeof addition === 'function' || addition instanceof Uint8Array || Symbol.asyncIterator in Object(addition)
}

/** A stream has its bytes once: a second image of it would lack them without a word. */
function readOnce(content: Content): Content {
  if (typeof content === 'function' || content instanceof Uint8Array) return content
  let isRead = false
  return (): ByteSource => {
    if (isRead) throw new TypeError('the tar is a stream that has been read already: give a function that opens it')
    isRead = true
    return content
  }
}
