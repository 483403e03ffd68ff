// A tar small enough for a test, made at once: what packs real layers is asynchronous, and an image made of a few words
// should be an expression.
import { BLOCK_BYTES, paddingOf, TYPE_FLAGS } from '../../tar/entry.ts'
import { FIELDS, writeOctal } from '../../tar/fields.ts'
import { END_OF_ARCHIVE, finishHeader } from '../../tar/pack-header.ts'

/**
 * A tar (POSIX ustar) of files, in the order given, that is the same bytes each time: no owner, no dates.
 *
 * @throws `TypeError` for a name that has no place in the header
 */
export function tarOf(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const content = typeof text === 'string' ? Buffer.from(text) : text
    return [headerOf(name, content.byteLength), content, new Uint8Array(paddingOf(content.byteLength))]
  })
  return Buffer.concat([...blocks, END_OF_ARCHIVE])
}

/** Not quite what real layers have, which tell of devices as well: digests that stand in assertions rest on these bytes. */
function headerOf(name: string, size: number): Uint8Array {
  const { length } = FIELDS.name // without the extensions for longer ones
  if (name === '' || Buffer.byteLength(name) > length) {
    throw new TypeError(`the name of a file in a layer must be of 1 to ${length} bytes: ${JSON.stringify(name)}`)
  }
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(name, FIELDS.name.at)
  writeOctal(block, FIELDS.mode, 0o644)
  writeOctal(block, FIELDS.size, size)
  for (const field of [FIELDS.uid, FIELDS.gid, FIELDS.mtime]) writeOctal(block, field, 0)
  finishHeader(block, TYPE_FLAGS.file)
  return block
}
