import { formatEntry, paddedSize } from '../../src/layout/tar-header.ts'

/** A file, a link, or bytes that go in as they are. */
export type TarPart =
  | { readonly path: string; readonly content: string | Uint8Array }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly folder: true }
  | { readonly raw: Uint8Array }

/** An archive made by hand. */
export function tarOf(parts: readonly TarPart[]): Buffer {
  return Buffer.concat([...parts.map(partOf), Buffer.alloc(1024)])
}

function partOf(part: TarPart): Buffer {
  if ('raw' in part) return Buffer.from(part.raw)
  if ('link' in part) return formatEntry({ path: part.path, type: 'symlink', linkPath: part.link })
  if ('folder' in part) return formatEntry({ path: part.path, type: 'directory' })
  const content = Buffer.from(part.content as Uint8Array)
  const size = content.byteLength
  return Buffer.concat([formatEntry({ path: part.path, size }), content, Buffer.alloc(paddedSize(size) - size)])
}
