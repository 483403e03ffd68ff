import { createWriteStream, type WriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Audit } from '../http/audit.ts'
import { CliError, fileProblemOf } from './cli-error.ts'

export interface AuditLog {
  readonly write: Audit
  close(): Promise<void>
}

/**
 * Each decision as a line of JSON, at the end of `file` or, for `-`, on standard output. A file is opened anew on SIGHUP, after which it
 * may have been renamed. What cannot be written is told on standard error, and missing; nobody has to wait for it.
 *
 * @throws {@link CliError}
 */
export async function openAuditLog(file: string): Promise<AuditLog> {
  const told = createTold()
  if (file === '-') return onStandardOutput(told)
  try {
    // Who asks for what is nobody else's business.
    await (await open(file, 'a', 0o600)).close()
  } catch (cause) {
    throw new CliError(`--audit-log ${file}: ${fileProblemOf(cause)}`, undefined, { cause })
  }
  let stream: WriteStream | undefined
  /** A line that was written in part must not swallow the next. */
  let lead = ''
  const openStream = () => {
    const opened = createWriteStream(file, { flags: 'a', mode: 0o600 })
    opened.on('error', () => {
      lead = '\n'
      if (stream === opened) stream = undefined
    })
    return opened
  }
  const reopen = () => {
    stream?.end()
    stream = undefined
  }
  process.on('SIGHUP', reopen)
  return {
    write: (decision) => {
      stream ??= openStream()
      if (isBehind(stream)) return told(BEHIND)
      stream.write(lead + line(decision), told)
      lead = ''
    },
    close: async () => {
      process.off('SIGHUP', reopen)
      const last = stream
      if (last !== undefined) await new Promise<void>((resolve) => void last.end(() => resolve()))
    },
  }
}

function onStandardOutput(told: Told): AuditLog {
  const { stdout } = process
  // Of a reader that has gone; each write tells as well.
  const onError = () => {}
  stdout.on('error', onError)
  return {
    write: (decision) => (isBehind(stdout) ? told(BEHIND) : void stdout.write(line(decision), told)),
    close: async () => void stdout.off('error', onError),
  }
}

/** Bytes that wait for a disk, or for a reader, which may have stopped. */
const MAX_WAITING = 16 * 1024 * 1024
const BEHIND = new Error('it takes nothing any more')

function isBehind({ writableLength }: { readonly writableLength: number }): boolean {
  return writableLength > MAX_WAITING
}

/** What became of one line. */
type Told = (error: Error | null | undefined) => void

/** Tells once when lines begin to be lost, and how many were when they no longer are. */
function createTold(): Told {
  let missing = 0
  return (error) => {
    if (error) {
      if (missing === 0) console.error(`wharfage: the audit log cannot be written: ${error.message}`)
      missing++
    } else if (missing > 0) {
      console.error(`wharfage: the audit log is written again; ${missing} decision(s) are missing`)
      missing = 0
    }
  }
}

function line(decision: Parameters<Audit>[0]): string {
  return `${JSON.stringify(decision)}\n`
}
