import { Readable } from 'node:stream'
import { RegistryError } from '../errors.ts'
import type { TarHeader } from '../tar/entry.ts'
import type { PackEntry } from '../tar/pack-tar.ts'
import { readTar } from '../tar/read-tar.ts'
import { type LayerAttributes, secondsOf } from './attributes.ts'
import { decompressed } from './compression.ts'
import { entryPath, joinPath } from './entry-path.ts'
import type { Content } from './tree.ts'

/**
 * The entries of a tar, compressed or not, below `to`, in its own order: with the owners, modes and times that it has, but for those that
 * `attributes` say, and without names of users, which differ between machines. Whiteouts are taken as they are.
 *
 * @throws `RegistryError` `MANIFEST_INVALID` for a broken archive, or one with paths out of it, `UNSUPPORTED` for names that are not UTF-8
 */
export async function* packArchive(
  archive: Content,
  to: string,
  attributes: LayerAttributes,
): AsyncGenerator<PackEntry> {
  const source = typeof archive === 'function' ? await archive() : archive
  if (source instanceof Readable && (source.readableEnded || source.destroyed)) {
    throw new TypeError('the tar is a stream that has been read already: give a function that opens it')
  }
  for await (const { header, body } of readTar(decompressed(source))) {
    const path = inside(header.name)
    if (path === '') continue // the root, which every image has
    yield { header: rewritten(header, joinPath(to, path), to, attributes), content: body }
  }
}

function rewritten(header: TarHeader, path: string, to: string, attributes: LayerAttributes): TarHeader {
  const { uname: _, gname: __, ...kept } = header
  const { uid, gid, mtime } = attributes
  const mode = header.type === 'directory' ? attributes.directoryMode : attributes.mode
  const isHardlink = header.type === 'hardlink' && header.linkname !== undefined
  return {
    ...kept,
    name: header.type === 'directory' ? `${path}/` : path,
    ...(isHardlink && { linkname: joinPath(to, inside(header.linkname)) }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mtime !== undefined && { mtime: secondsOf(mtime) }),
    ...(mode !== undefined && header.type !== 'symlink' && { mode }),
  }
}

function inside(name: string): string {
  // Written anew, such a name would be another one.
  if (name.includes('\ufffd'))
    throw new RegistryError('UNSUPPORTED', { message: `the tar has a name that is not UTF-8: ${name}` })
  try {
    return entryPath(name)
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', { message: `the tar has a path that leads out of it: ${name}`, cause })
  }
}
