import type { Backend } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { Digest } from '../../spec/digest.ts'
import { Ledger, type LedgerEntry } from './ledger.ts'
import type { ContentType, Statistics } from './stats.ts'

/**
 * Where what the cache brought in is written down between two runs. Without, it is known of this run only: what an earlier one brought
 * in stays, and is taken for somebody's push.
 */
export interface PullThroughState {
  /** What was saved last; `undefined` when nothing was. */
  load(): Promise<Uint8Array | undefined>
  save(content: Uint8Array): Promise<void>
}

/** How many entries there are at most, whatever their size: each takes some hundred bytes of memory. */
const MAX_ENTRIES = 200_000

/** How long a change waits for others before it is written down. */
const SAVE_AFTER_MS = 10_000

interface Settings {
  /** Where the cache keeps its content. */
  readonly backend: Backend
  /** Bytes. */
  readonly maxBytes: number
  readonly state: PullThroughState | undefined
  readonly statistics: Statistics
  readonly logger: Logger
}

/**
 * Keeps the cache below its size: knows what it brought in, and takes the least recently used out of its repository. Only ever that:
 * what was pushed is not in the ledger, and what another repository links stays there.
 */
export class Storekeeper {
  readonly ledger: Ledger = new Ledger()
  readonly #settings: Settings
  #restoring: Promise<void> | undefined
  #trimming: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #savedVersion = 0
  #saving: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get maxBytes(): number {
    return this.#settings.maxBytes
  }

  /** To be awaited before the ledger is asked; reads the state, once. One that cannot be read is reported and done without. */
  ready(): Promise<void> {
    this.#restoring ??= this.#restore()
    return this.#restoring
  }

  brought(entry: LedgerEntry): void {
    this.ledger.add(entry)
    this.#changed()
    this.#trim()
  }

  used(content: ContentType, repository: string, digest: Digest): void {
    this.ledger.touch(content, repository, digest)
    this.#changed()
  }

  /** What somebody pushed is theirs from then on, and so is what it needs. */
  pushed(content: ContentType, repository: string, digest: Digest): void {
    this.ledger.forget(content, repository, digest, { deep: true })
    this.#changed()
  }

  /** Somebody deleted it. */
  gone(content: ContentType, repository: string, digest: Digest): void {
    this.ledger.forget(content, repository, digest)
    this.#changed()
  }

  deleted(repository: string): void {
    this.ledger.forgetRepository(repository)
    this.#changed()
  }

  /** Resolves when what is too much has gone. */
  async settled(): Promise<void> {
    await this.#trimming
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#trimming
    await this.#save()
  }

  async #restore(): Promise<void> {
    const { state, logger } = this.#settings
    try {
      const content = await state?.load()
      if (content !== undefined) this.ledger.restore(content)
    } catch (err) {
      logger.warn({ err }, 'cannot read what a pull-through cache brought in earlier: it will not be evicted')
    }
    this.#trim()
  }

  #trim(): void {
    if (this.#trimming !== undefined || !this.#isFull()) return
    this.#trimming = this.#evict().finally(() => {
      this.#trimming = undefined
      this.#changed()
    })
  }

  #isFull(): boolean {
    return this.ledger.bytes > this.#settings.maxBytes || this.ledger.length > MAX_ENTRIES
  }

  async #evict(): Promise<void> {
    for (
      let victim = this.ledger.oldest();
      victim && this.#isFull() && !this.#isClosed;
      victim = this.ledger.oldest()
    ) {
      const { content, repository, digest, size: bytes } = victim
      // Before it is gone: what is brought in anew meanwhile has an entry of its own.
      this.ledger.forget(content, repository, digest)
      try {
        await this.#unlink(victim)
      } catch (err) {
        this.ledger.add(victim)
        this.#settings.logger.warn({ err, repository, digest }, 'cannot evict from a pull-through cache')
        return
      }
      this.#settings.statistics.tell({ type: 'evicted', content, repository, digest, bytes })
    }
  }

  async #unlink({ content, repository, digest }: LedgerEntry): Promise<void> {
    const { blobs, manifests } = this.#settings.backend.repository(repository)
    try {
      await (content === 'blob' ? blobs : manifests).delete(digest)
    } catch (error) {
      const isGone = RegistryError.is(error, content === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN')
      if (!isGone) throw error
    }
  }

  #changed(): void {
    if (this.#settings.state === undefined || this.#isClosed || this.ledger.version === this.#savedVersion) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#save()
    }, SAVE_AFTER_MS).unref()
  }

  /** One after the other: an older state must not replace a newer one. */
  #save(): Promise<void> {
    const { state, logger } = this.#settings
    this.#saving = this.#saving.then(async () => {
      const { version } = this.ledger
      if (state === undefined || version === this.#savedVersion) return
      try {
        await this.ready()
        await state.save(this.ledger.serialize())
        this.#savedVersion = version
      } catch (err) {
        logger.warn({ err }, 'cannot write down what a pull-through cache brought in')
      }
    })
    return this.#saving
  }
}
