// For what Node's own client of http2 does not do.

export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
export const WINDOW_UPDATE = 8

export const END_STREAM = 1
export const END_HEADERS = 4

/** What a client begins with (RFC 9113, 3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** One frame (RFC 9113, 4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.byteLength, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header whose name has a number in the table of HPACK (RFC 7541, 6.2.2 and appendix A). */
export function literal(nameIndex: number, value: string): readonly number[] {
  return [nameIndex, value.length, ...Buffer.from(value)]
}

/** The same for a number in a setting or a window. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
