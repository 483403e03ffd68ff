import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { checkAmount } from '../arguments.ts'
import { consoleLogger, type Logger } from '../logger.ts'

export interface WatchedFileOptions<T> {
  readonly file: string | URL
  /** Makes something of the file's text. What it throws must not quote secrets: it is logged. */
  readonly parse: (text: string) => T
  /** A larger file is an error. */
  readonly maxBytes: number
  /** The file is looked at when it is needed, and no more often than this. Default: 1000. */
  readonly intervalMs?: number | undefined
  /** Milliseconds of a clock that only has to go forward. Default: `performance.now`. */
  readonly now?: (() => number) | undefined
  /** Told once of each new content, and why the last one stays in use where that cannot be read. Default: the console. */
  readonly logger?: Logger | undefined
}

/** Nothing is held open, and no timer runs. */
export interface WatchedFile<T> {
  /**
   * What the file held at most `intervalMs` ago. Once that was known, a file that is gone, cannot be read or parsed leaves it in use:
   * a slip of somebody's editor locks nobody out, and lets nobody in.
   *
   * @throws `Error` naming the file, where it never could be read and parsed. The next look may find it mended.
   */
  current(): Promise<T>
}

/** A change this soon before a look may have been followed by another within the same tick of the file system's clock. */
const SETTLED_MS = 2000

export function watchedFile<T>(options: WatchedFileOptions<T>): WatchedFile<T> {
  const { file, parse, maxBytes, intervalMs = 1000, now = () => performance.now(), logger = consoleLogger } = options
  checkAmount('intervalMs', intervalMs)
  let known: { readonly value: T } | undefined
  let seen: Seen | undefined
  let problem: { readonly of: string; readonly error: Error } | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined

  const fail = (of: string, cause: unknown): void => {
    const isNew = problem?.of !== of
    problem = { of, error: new Error(`${file}: ${reasonOf(cause)}`, { cause }) }
    if (known !== undefined && isNew) {
      logger.error(
        { file: String(file), reason: reasonOf(cause) },
        'a changed file is not usable, its last content stays in use',
      )
    }
  }

  const look = async (): Promise<void> => {
    let found: Found
    try {
      found = await readChanged(file, maxBytes, seen)
    } catch (cause) {
      seen = undefined
      return fail(reasonOf(cause), cause)
    }
    const isSame = found.digest === seen?.digest
    seen = found
    if (isSame || found.text === undefined) return
    try {
      const value = parse(found.text)
      if (known !== undefined) {
        // Whoever saw that it was not usable sees as well when it is.
        if (problem !== undefined) logger.warn({ file: String(file) }, 'a changed file is usable again, and in use')
        else logger.info({ file: String(file) }, 'a changed file is in use')
      }
      known = { value }
      problem = undefined
    } catch (cause) {
      fail(found.digest, cause)
    }
  }

  return {
    current: async () => {
      const at = now()
      if (looking === undefined && !(at >= lookedAt && at - lookedAt < intervalMs)) {
        lookedAt = at
        looking = look().finally(() => {
          looking = undefined
        })
      }
      await looking
      if (known !== undefined) return known.value
      throw problem?.error ?? new Error(`${file}: not read`)
    },
  }
}

/** What tells a file from the one that was read, without reading it again. */
interface Seen {
  readonly stamp: string
  readonly digest: string
}

interface Found extends Seen {
  /** `undefined` where nothing has changed. */
  readonly text?: string
}

/** @throws whatever the reason is that there is no text */
async function readChanged(file: string | URL, maxBytes: number, seen: Seen | undefined): Promise<Found> {
  // Not to wait for somebody who writes into a pipe.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stat = await handle.stat({ bigint: true })
    if (!stat.isFile()) throw new Error('not a file')
    const { ino, size, mtimeNs, ctimeNs } = stat
    const isSettled = Math.abs(Date.now() - Number(ctimeNs / 1_000_000n)) > SETTLED_MS
    const stamp = isSettled ? `${ino} ${size} ${mtimeNs} ${ctimeNs}` : ''
    if (seen !== undefined && stamp !== '' && stamp === seen.stamp) return seen
    const bytes = await readAtMost(handle, maxBytes)
    const digest = createHash('sha256').update(bytes).digest('hex')
    return { stamp, digest, text: decode(bytes) }
  } finally {
    await handle.close()
  }
}

async function readAtMost(handle: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(maxBytes + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
    length += bytesRead
    if (length > maxBytes) throw new Error(`larger than ${maxBytes} bytes`)
    if (bytesRead === 0) return buffer.subarray(0, length)
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Error('not UTF-8 text', { cause })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'no such file'
    case 'EACCES':
    case 'EPERM':
      return 'this process may not read it'
    default:
      return error.message
  }
}
