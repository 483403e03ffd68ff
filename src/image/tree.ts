import { kindOf } from '../arguments.ts'
import type { ByteSource } from '../bytes.ts'
import type { PackEntry } from '../tar/pack-tar.ts'
import { type Attributes, type Defaults, headerOf } from './attributes.ts'
import { fileEntry } from './directory.ts'
import { ancestorsOf, checkNoWhiteout, entryPath, joinPath } from './entry-path.ts'

/** Where the bytes of something come from; a function is asked each time they are needed. */
export type Content = ByteSource | (() => ByteSource | Promise<ByteSource>)

/** One file or other entry, with attributes of its own where it has any. */
export type TreeEntry = Attributes &
  (
    | { readonly content: string | Uint8Array }
    /** Exactly `size` bytes: a tar tells the size before the content. */
    | { readonly stream: Content; readonly size: number }
    /** A file of this machine; its mode is kept as far as whether it may be executed. */
    | { readonly file: string | URL }
    /** Where it points, as it is written. */
    | { readonly symlink: string }
    /** Another path of the same tree, of which this one is a second name. */
    | { readonly hardlink: string }
    | { readonly directory: true }
  )

/** Files by their paths, as text or bytes or entries. */
export type FileTree = Readonly<Record<string, string | Uint8Array | TreeEntry>>

export interface CheckedTree {
  readonly entries: readonly (readonly [path: string, entry: TreeEntry])[]
}

const KINDS = ['content', 'stream', 'file', 'symlink', 'hardlink', 'directory'] as const

/** Checks a tree and brings it into the order of a directory walk, hard links last: what they name has to be there first. */
export function checkTree(tree: FileTree): CheckedTree {
  const entries = new Map<string, TreeEntry>()
  for (const [name, value] of Object.entries(tree)) {
    const path = entryPath(name)
    checkNoWhiteout(path)
    if (path === '') throw new TypeError(`${JSON.stringify(name)} is no path of a file`)
    if (entries.has(path)) throw new TypeError(`${JSON.stringify(path)} is there twice`)
    entries.set(path, checkEntry(name, value))
  }
  for (const [path, entry] of entries) {
    const parent = ancestorsOf(path).find(
      (ancestor) => !('directory' in (entries.get(ancestor) ?? { directory: true })),
    )
    if (parent !== undefined)
      throw new TypeError(`${JSON.stringify(parent)} is no directory, but ${JSON.stringify(path)} is in it`)
    if ('hardlink' in entry && !isLinkable(entries.get(entryPath(entry.hardlink)))) {
      throw new TypeError(
        `${JSON.stringify(path)} is a hard link to ${JSON.stringify(entry.hardlink)}, which is no file of the tree`,
      )
    }
  }
  const rank = ([path, entry]: readonly [string, TreeEntry]) =>
    `${'hardlink' in entry ? 1 : 0}${path.replaceAll('/', '\0')}`
  return { entries: [...entries].sort((a, b) => (rank(a) < rank(b) ? -1 : 1)) }
}

export async function* packTree({ entries }: CheckedTree, to: string, defaults: Defaults): AsyncGenerator<PackEntry> {
  for (const [path, entry] of entries) {
    const name = joinPath(to, path)
    if ('directory' in entry) yield { header: headerOf({ ...entry, name, type: 'directory' }, defaults) }
    else if ('symlink' in entry)
      yield { header: headerOf({ ...entry, name, type: 'symlink', linkname: entry.symlink }, defaults) }
    else if ('hardlink' in entry) {
      const linkname = joinPath(to, entryPath(entry.hardlink))
      yield { header: headerOf({ ...entry, name, type: 'hardlink', linkname }, defaults) }
    } else if ('file' in entry) yield* fileEntry(entry.file, { ...entry, name }, defaults)
    else if ('stream' in entry) {
      const { stream, size } = entry
      const content = typeof stream === 'function' ? await stream() : stream
      yield { header: headerOf({ ...entry, name, type: 'file', size }, defaults), content }
    } else {
      const content = Buffer.from(entry.content as Uint8Array) // Buffer.from takes text as well
      yield { header: headerOf({ ...entry, name, type: 'file', size: content.byteLength }, defaults), content }
    }
  }
}

function checkEntry(name: string, value: FileTree[string]): TreeEntry {
  if (typeof value === 'string' || value instanceof Uint8Array) return { content: value }
  const kinds = KINDS.filter((kind) => Object.hasOwn(Object(value), kind))
  if (kinds.length !== 1) {
    throw new TypeError(
      `${JSON.stringify(name)} must be text, bytes or an object with one of ${KINDS.join(', ')}, not ${kindOf(value)}`,
    )
  }
  if ('stream' in value && !(Number.isSafeInteger(value.size) && value.size >= 0)) {
    throw new TypeError(
      `${JSON.stringify(name)} is a stream, of which the "size" in bytes has to be known, not ${kindOf(value.size)}`,
    )
  }
  if ('content' in value && typeof value.content !== 'string' && !(value.content instanceof Uint8Array)) {
    throw new TypeError(`the content of ${JSON.stringify(name)} must be text or bytes, not ${kindOf(value.content)}`)
  }
  return value
}

function isLinkable(entry: TreeEntry | undefined): boolean {
  return entry !== undefined && ('content' in entry || 'stream' in entry || 'file' in entry)
}
