// A tar small enough for a test, made at once: what packs real layers is asynchronous, and an image made of a few words
// should be an expression.

const BLOCK = 512

/** Longest name of a file, in bytes: the header's field, without the extensions for longer ones. */
const MAX_NAME_BYTES = 100

/**
 * A tar (POSIX ustar) of files, in the order given, that is the same bytes each time: no owner, no dates.
 *
 * @throws `TypeError` for a name that has no place in the header
 */
export function tarOf(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const blocks: Uint8Array[] = []
  for (const [name, text] of Object.entries(files)) {
    const content = typeof text === 'string' ? Buffer.from(text) : text
    blocks.push(headerOf(name, content.byteLength), content, new Uint8Array(-content.byteLength & (BLOCK - 1)))
  }
  return Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)])
}

/** @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06 */
function headerOf(name: string, size: number): Uint8Array {
  if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new TypeError(
      `the name of a file in a layer must be of 1 to ${MAX_NAME_BYTES} bytes: ${JSON.stringify(name)}`,
    )
  }
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0)
  header.write('0000644\0' + '0000000\0' + '0000000\0', 100) // mode, uid, gid
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136) // modified in 1970
  header.write('        ', 148) // the sum is taken with blanks in its own place
  header.write('0', 156) // a file
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
