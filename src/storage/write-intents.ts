import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { RegistryError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import { KeyNotFoundError, PreconditionFailedError, type StorageDriver } from './driver.ts'
import { CONDEMNED, FORMAT_MARKER, INTENTS } from './layout.ts'

const CONDEMNED_WAIT_MS = 3_000
const CONDEMNED_POLL_MS = 50

/** What a writer of this code leaves at the root, so that a collection can tell who wrote. */
const FORMAT = JSON.stringify({ format: 1, writer: 'wharfage', protocol: 'intents' })

export interface WriteIntentsOptions {
  /** How long a write waits for a collection to be done with what it condemned, in milliseconds. Default: 3 seconds. */
  readonly condemnedWaitMs?: number
}

/**
 * The writer's half of the collection protocol: whoever is about to rely on content says so first (an intent), then looks
 * whether a collection has condemned it, and only then looks whether it is there. A collection condemns first and then looks
 * for intents: one of the two always sees the other. No clock and no lock is needed for that.
 *
 * Neither intents nor condemnations survive a loss of power, and need not: they matter to living processes only.
 */
export class WriteIntents {
  readonly #driver: StorageDriver
  readonly #logger: Logger
  readonly #condemnedWaitMs: number
  readonly #pending = new Set<Promise<void>>()
  #marker: Promise<void> | undefined

  constructor(
    driver: StorageDriver,
    logger: Logger,
    { condemnedWaitMs = CONDEMNED_WAIT_MS }: WriteIntentsOptions = {},
  ) {
    this.#driver = driver
    this.#logger = logger
    this.#condemnedWaitMs = condemnedWaitMs
  }

  /**
   * Declares reliance on `digests` until the intent is released, and waits until none of them is condemned.
   *
   * @throws {@link RegistryError} `UNAVAILABLE` with `retry-after` when a collection holds on to one of them
   */
  async declare(digests: ReadonlySet<Digest>, signal?: AbortSignal): Promise<WriteIntent> {
    await this.#mark()
    const key = `${INTENTS}/${Date.now().toString(16).padStart(12, '0')}-${randomUUID()}`
    const content = Buffer.from(JSON.stringify({ digests: [...digests] }))
    await this.#driver.put(key, content, { durable: false, ...(signal && { signal }) })
    const intent = { release: () => this.#release(key) }
    try {
      await this.#whileCondemned(digests, signal)
      return intent
    } catch (error) {
      intent.release()
      throw error
    }
  }

  /** Waits for the intents that are being dropped. */
  async close(): Promise<void> {
    await Promise.all(this.#pending)
  }

  /** Dropped without waiting: an intent left behind only makes a collection keep more, until it is twice the grace period old. */
  #release(key: string): void {
    const dropped = this.#driver
      .delete(key, { durable: false })
      .catch((err: unknown) => this.#logger.warn({ err, key }, 'could not drop a write intent'))
      .finally(() => this.#pending.delete(dropped))
    this.#pending.add(dropped)
  }

  async #whileCondemned(digests: ReadonlySet<Digest>, signal: AbortSignal | undefined): Promise<void> {
    for (let waited = 0; ; waited += CONDEMNED_POLL_MS) {
      const condemned = await this.#condemnedAmong(digests, signal)
      if (condemned === undefined) return
      if (waited >= this.#condemnedWaitMs) {
        throw new RegistryError('UNAVAILABLE', {
          message: 'this content is being removed by a garbage collection; push it again in a moment',
          detail: { digest: condemned },
          headers: { 'retry-after': '5' },
        })
      }
      await delay(CONDEMNED_POLL_MS, undefined, { ...(signal && { signal }) })
    }
  }

  /** One of `digests` that some collection has condemned; nearly always there is nothing to read. */
  async #condemnedAmong(digests: ReadonlySet<Digest>, signal?: AbortSignal): Promise<Digest | undefined> {
    const options = signal && { signal }
    for await (const entry of this.#driver.list(CONDEMNED, options)) {
      // A batch that is gone by the time it is read was withdrawn or carried out; what it named is then seen by the checks.
      const batch = await this.#driver.get(entry.key, options).catch((error: unknown) => {
        if (error instanceof KeyNotFoundError) return undefined
        throw error
      })
      for (const digest of batch === undefined ? [] : parseCondemned(entry.key, batch.content)) {
        if (digests.has(digest)) return digest
      }
    }
    return undefined
  }

  /** The format marker, written once per process before its first write; a failure is tried again by the next write. */
  #mark(): Promise<void> {
    this.#marker ??= this.#writeMarker().catch((error: unknown) => {
      this.#marker = undefined
      throw error
    })
    return this.#marker
  }

  async #writeMarker(): Promise<void> {
    if ((await this.#driver.stat(FORMAT_MARKER)) !== undefined) return
    const ifVersion = this.#driver.conditionalPuts ? { ifVersion: null } : undefined
    await this.#driver.put(FORMAT_MARKER, Buffer.from(FORMAT), ifVersion).catch((error: unknown) => {
      if (!(error instanceof PreconditionFailedError)) throw error // another process was first: as good
    })
  }
}

/** A declared reliance. */
export interface WriteIntent {
  /** To be called once what relied on it is written, or has failed. */
  release(): void
}

/** A condemnation is JSON, `{"digests": [...]}`. One that cannot be read condemns everything: it never means "nothing". */
function parseCondemned(key: string, content: Uint8Array): readonly Digest[] {
  const parsed: unknown = JSON.parse(Buffer.from(content).toString('utf8'))
  const digests: unknown = parsed instanceof Object && 'digests' in parsed ? parsed.digests : undefined
  if (!Array.isArray(digests)) throw new Error(`damaged condemnation: ${key}`)
  return digests.filter((one): one is Digest => typeof one === 'string' && isDigest(one))
}
