import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { TarHeader } from '../../src/tar/entry.ts'
import { END_OF_ARCHIVE, packHeader } from '../../src/tar/pack-header.ts'
import { readTar } from '../../src/tar/read-tar.ts'

export const run = promisify(execFile)

export const FILE: TarHeader = { name: 'file', type: 'file', size: 0, mode: 0o644, uid: 0, gid: 0, mtime: 0 }

export interface ReadEntry extends TarHeader {
  readonly content: string
}

/** An archive of entries, each with its content as text. */
export function archive(...entries: readonly (Partial<TarHeader> & { readonly content?: string })[]): Buffer {
  const blocks = entries.flatMap(({ content = '', ...header }) => {
    const bytes = Buffer.from(content)
    const packed = packHeader({ ...FILE, size: bytes.byteLength, ...header })
    return [packed, bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512)]
  })
  return Buffer.concat([...blocks, END_OF_ARCHIVE])
}

/** All entries with their contents, from pieces of `pieceBytes`. */
export async function readArchive(content: Uint8Array, pieceBytes = content.byteLength): Promise<ReadEntry[]> {
  const entries = []
  for await (const { header, bytes } of readTar(inPieces(content, pieceBytes))) {
    entries.push({ ...header, content: Buffer.from(await bytes()).toString() })
  }
  return entries
}

export async function* inPieces(content: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += pieceBytes) yield content.subarray(at, at + pieceBytes)
}

/** Sets bytes of the first header and, unless told otherwise, its checksum. */
export function patched(content: Buffer, at: number, bytes: string | Uint8Array, keepsChecksum = false): Buffer {
  const copy = Buffer.from(content)
  copy.set(Buffer.from(bytes as Uint8Array), at) // Buffer.from takes both
  if (keepsChecksum) return copy
  copy.write('        ', 148)
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return copy
}
