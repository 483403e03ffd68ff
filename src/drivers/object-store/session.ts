/** One object of some staged bytes; its key is that of the upload, `.`, and its name. */
export interface StagedPart {
  readonly name: string
  /** Bytes. */
  readonly size: number
}

/**
 * What is known of an upload between requests: the one JSON object `<upload>.json`, replaced whole, on condition that nobody
 * else has, where the store can. What it does not name is not part of the upload.
 */
export interface Session {
  /** In order. All but the last are large enough to be copied as a part. */
  readonly parts: readonly StagedPart[]
  /** The bytes that follow, while they are few: they save an object. */
  readonly tail: Uint8Array
  readonly sealed: boolean
  /** Which driver, of one process, wrote this. */
  readonly writer: string
  /** Whether more than one did, over time. */
  readonly shared: boolean
}

/** Bytes of a tail that is kept within the session. */
export const MAX_INLINE_TAIL_BYTES: number = 32 * 1024

const VERSION = 1
const PART_NAME = /^[a-z0-9-]{1,64}$/

export function sizeOf(session: Session): number {
  return session.parts.reduce((sum, { size }) => sum + size, session.tail.byteLength)
}

export function formatSession({ parts, tail, sealed, writer, shared }: Session): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      version: VERSION,
      parts: parts.map(({ name, size }) => [name, size]),
      ...(tail.byteLength > 0 && { tail: Buffer.from(tail).toString('base64') }),
      ...(sealed && { sealed }),
      writer,
      ...(shared && { shared }),
    }),
  )
}

/** @throws when it is not a session that this version wrote: never taken for an empty one */
export function parseSession(key: string, content: Uint8Array): Session {
  const damaged = (cause?: unknown) => new Error(`damaged upload session: ${key}`, { cause })
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(content).toString('utf8'))
  } catch (error) {
    throw damaged(error)
  }
  if (!(parsed instanceof Object) || !('parts' in parsed) || !Array.isArray(parsed.parts)) throw damaged()
  const fields: Readonly<Record<string, unknown>> = { ...parsed }
  const { tail = '', sealed = false, shared = false, writer, version } = fields
  if (version !== VERSION || typeof writer !== 'string' || typeof tail !== 'string') throw damaged()
  return {
    parts: parsed.parts.map((part: unknown) => {
      const [name, size] = Array.isArray(part) ? (part as readonly unknown[]) : []
      if (typeof name !== 'string' || !PART_NAME.test(name)) throw damaged()
      if (typeof size !== 'number' || !Number.isSafeInteger(size) || size <= 0) throw damaged()
      return { name, size }
    }),
    tail: Buffer.from(tail, 'base64'),
    sealed: sealed === true,
    writer,
    shared: shared === true,
  }
}
