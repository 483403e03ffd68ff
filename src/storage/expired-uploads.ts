import type { Logger } from '../logger.ts'
import { isUploadId } from '../spec/name.ts'
import { KeyNotFoundError, type StorageDriver } from './driver.ts'
import type { RepositoryLayout } from './layout.ts'

const HOUR_MS = 60 * 60 * 1000

/** Beyond its lifetime, an upload is left alone for that long: a request that came in time may still be at work. */
const SLACK_MS = 24 * HOUR_MS

/** How often the uploads of a repository are gone through, and how many of them at a time. */
const SWEEP_MS = HOUR_MS
const SWEPT = 100

/** Repositories of which it is remembered how far a sweep got. */
const MAX_REPOSITORIES = 10_000

interface Sweep {
  readonly at: number
  readonly isRunning: boolean
  /** The folder with which the last one ended; the next goes on after it. */
  readonly after: string | undefined
}

/**
 * Takes away uploads that are older than the registry keeps them, of any process, Distribution's as well. A repository is gone
 * through in the background when somebody begins to upload to it.
 */
export class ExpiredUploads {
  readonly #driver: StorageDriver
  readonly #lifetimeMs: number
  readonly #logger: Logger
  readonly #begunAt = performance.now()
  readonly #sweeps = new Map<string, Sweep>()
  readonly #pending = new Set<Promise<void>>()

  constructor(driver: StorageDriver, lifetimeMs: number, logger: Logger) {
    this.#driver = driver
    this.#lifetimeMs = lifetimeMs
    this.#logger = logger
  }

  hasExpired(startedAt: Date, slackMs = 0): boolean {
    return Date.now() - startedAt.getTime() > this.#lifetimeMs + slackMs
  }

  /** Goes through some uploads of a repository, if that is due; an hour after the process began, at the earliest. */
  sweepWhenDue(layout: RepositoryLayout): void {
    const now = performance.now()
    const last = this.#sweeps.get(layout.root)
    if (last?.isRunning || now - (last?.at ?? this.#begunAt) < SWEEP_MS) return
    this.#remember(layout, { at: now, isRunning: true, after: last?.after })
    const sweep = this.#sweep(layout, last?.after)
      .catch((err: unknown) => {
        this.#logger.warn({ err, folder: layout.uploads }, 'could not look for uploads that are too old')
        return last?.after
      })
      .then((after) => this.#remember(layout, { at: now, isRunning: false, after }))
      .finally(() => this.#pending.delete(sweep))
    this.#pending.add(sweep)
  }

  /** Everything of an upload, whoever wrote it. */
  async remove(layout: RepositoryLayout, id: string): Promise<void> {
    try {
      await using upload = await this.#driver.resumeUpload(layout.uploadData(id))
      await upload.discard([layout.uploadStartedAt(id)])
    } catch (error) {
      if (!(error instanceof KeyNotFoundError)) throw error // there may be a mark without a byte
    }
    await this.#driver.deletePrefix(layout.upload(id))
  }

  /** Waits for what goes on in the background. */
  async close(): Promise<void> {
    await Promise.all(this.#pending)
  }

  #remember({ root }: RepositoryLayout, sweep: Sweep): void {
    this.#sweeps.delete(root)
    this.#sweeps.set(root, sweep)
    if (this.#sweeps.size <= MAX_REPOSITORIES) return
    for (const oldest of this.#sweeps.keys()) {
      this.#sweeps.delete(oldest)
      return
    }
  }

  /** @returns where the next sweep goes on; `undefined` when this one came to the end */
  async #sweep(layout: RepositoryLayout, after: string | undefined): Promise<string | undefined> {
    const folders: string[] = []
    const options = { shallow: true, limit: SWEPT, ...(after !== undefined && { after: `${after}/` }) }
    for await (const { key } of this.#driver.list(layout.uploads, options)) {
      if (folders.push(key) === SWEPT) break
    }
    for (const folder of folders) {
      const id = folder.slice(layout.uploads.length + 1)
      if (isUploadId(id) && (await this.#isTooOld(layout, id))) await this.remove(layout, id)
    }
    return folders.length === SWEPT ? folders.at(-1) : undefined
  }

  async #isTooOld(layout: RepositoryLayout, id: string): Promise<boolean> {
    try {
      const started = readMark(await this.#driver.get(layout.uploadStartedAt(id)))
      return started !== undefined && this.hasExpired(started, SLACK_MS)
    } catch (error) {
      if (error instanceof KeyNotFoundError) return false // ended meanwhile, or nobody can tell how old it is
      throw error
    }
  }
}

/**
 * What the mark of an upload says, RFC 3339 as Distribution writes it; `undefined` for one that a loss of power left empty, whose
 * file may have any date.
 */
export function readMark({ content }: { readonly content: Uint8Array }): Date | undefined {
  const date = new Date(Buffer.from(content).toString('latin1'))
  return Number.isNaN(date.getTime()) ? undefined : date
}
