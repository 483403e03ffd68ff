import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.ts'
import type { RunningCommand } from '../support/server-process.ts'
import { Ledger } from './ledger.ts'
import { makeContent, Pusher } from './pusher.ts'
import { findPartialBlobs, verifyLedger } from './verify.ts'

const PUSHERS = 8

/** A server is killed before its clients have been answered so often: an image or two each. */
const MAX_ANSWERS = 150

export interface CrashOptions {
  /** Starts a server over the directory; printed as the command does. */
  readonly start: () => RunningCommand
  readonly directory: string
  /** How often the server is killed. */
  readonly rounds: number
  /** Stop at the first finding. */
  readonly stopEarly?: boolean
}

export interface CrashReport {
  /** Acknowledged and not there, or not as it was. */
  readonly lost: string[]
  /** Under `blobs/`, and not what their names say. */
  readonly partial: string[]
  /** Answers of a living server that none of its clients should get. */
  readonly surprises: string[]
  blobs: number
  manifests: number
  /** Uploads that were under way when the server was killed. */
  resumed: number
}

/**
 * Kills a server at random moments under eight clients that push, starts it again on what is left, and looks for everything
 * that it had acknowledged.
 */
export async function crash(options: CrashOptions): Promise<CrashReport> {
  const report: CrashReport = { lost: [], partial: [], surprises: [], blobs: 0, manifests: 0, resumed: 0 }
  const base = makeContent(randomBytes(300_000))
  const known = new Set<string>()
  for (let round = 0; round < options.rounds; round++) {
    const ledger = new Ledger()
    await pushUntilKilled(
      options.start(),
      ledger,
      round,
      makeContent(round % 2 === 0 ? base.bytes : randomBytes(50_000)),
    )
    report.partial.push(...(await findPartialBlobs(options.directory, known)))
    await using server = options.start()
    using client = new HttpClient(await server.listening())
    report.blobs += ledger.blobs.length
    report.manifests += ledger.manifests.length
    report.resumed += ledger.uploads.size
    report.surprises.push(...ledger.surprises)
    report.lost.push(...(await verifyLedger(client, ledger)))
    if (options.stopEarly && report.lost.length + report.partial.length > 0) return report
  }
  // What was right once must be right at the end: nothing may have been written over.
  report.partial.push(...(await findPartialBlobs(options.directory, new Set())))
  return report
}

async function pushUntilKilled(
  running: RunningCommand,
  ledger: Ledger,
  round: number,
  base: ReturnType<typeof makeContent>,
): Promise<void> {
  await using server = running
  using client = new HttpClient(await server.listening())
  // Two to a repository: some share it, all share the base layer.
  const pushers = Array.from({ length: PUSHERS }, (_, i) =>
    new Pusher(client, ledger, `crash/round${round}/team${i >> 1}`, base).run(),
  )
  const done = Promise.all(pushers)
  // By what has been done, not by the clock, so that a slow machine is killed as far into its work; then at any moment.
  await Promise.race([ledger.untilAnswered(randomInt(1, MAX_ANSWERS)), done])
  await after(Math.random() * 10)
  server.kill('SIGKILL')
  await done
}
