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
  /** The declaration that can still be joined. */
  #next: SharedIntent | undefined
  /** Settles when the declaration on its way is through. */
  #latest: Promise<void> = Promise.resolve()
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
   * Declares reliance on `digests` until the intent is released, and waits until none of them is condemned. Those who ask
   * while another declaration is on its way share the next one: one object and one look for all of them.
   *
   * @throws {@link RegistryError} `UNAVAILABLE` with `retry-after` when a collection holds on to one of them; the reason of a
   * signal that has aborted already, which what follows may never look at
   */
  async declare(digests: ReadonlySet<Digest>, signal?: AbortSignal): Promise<WriteIntent> {
    signal?.throwIfAborted()
    const shared = this.#next ?? this.#begin()
    for (const digest of digests) shared.digests.add(digest)
    shared.holders++
    const intent = { release: () => this.#release(shared) }
    try {
      const condemned = await shared.declared
      for (const digest of digests) if (condemned.has(digest)) await this.#whileCondemned(digests, signal)
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

  /** Opens a declaration that others may join until the one before it is through. */
  #begin(): SharedIntent {
    const digests = new Set<Digest>()
    const key = `${INTENTS}/${Date.now().toString(16).padStart(12, '0')}-${randomUUID()}`
    const written = this.#latest.then(async () => {
      this.#next = undefined
      await this.#mark()
      await this.#driver.put(key, Buffer.from(JSON.stringify({ digests: [...digests] })), { durable: false })
    })
    const shared = { key, digests, holders: 0, declared: written.then(() => this.#condemned()) }
    shared.declared.catch(() => {}) // awaited by each who declares
    this.#latest = shared.declared.then(ignore, ignore)
    this.#next = shared
    return shared
  }

  /** Dropped without waiting: an intent left behind only makes a collection keep more, until it is twice the grace period old. */
  #release(shared: SharedIntent): void {
    shared.holders--
    if (shared.holders > 0) return
    const dropped = this.#driver
      .delete(shared.key, { durable: false })
      .catch((err: unknown) => this.#logger.warn({ err, key: shared.key }, 'could not drop a write intent'))
      .finally(() => this.#pending.delete(dropped))
    this.#pending.add(dropped)
  }

  async #whileCondemned(digests: ReadonlySet<Digest>, signal: AbortSignal | undefined): Promise<void> {
    for (let waited = 0; ; waited += CONDEMNED_POLL_MS) {
      const condemned = await this.#condemned()
      const digest = [...digests].find((one) => condemned.has(one))
      if (digest === undefined) return
      if (waited >= this.#condemnedWaitMs) {
        throw new RegistryError('UNAVAILABLE', {
          message: 'this content is being removed by a garbage collection; push it again in a moment',
          detail: { digest },
          headers: { 'retry-after': '5' },
        })
      }
      await delay(CONDEMNED_POLL_MS, undefined, { ...(signal && { signal }) })
    }
  }

  /** Everything that some collection has condemned; nearly always there is nothing to read. */
  async #condemned(): Promise<ReadonlySet<Digest>> {
    const digests = new Set<Digest>()
    for await (const { key } of this.#driver.list(CONDEMNED)) {
      // A batch that is gone by the time it is read was withdrawn or carried out; what it named is then seen by the checks.
      const batch = await this.#driver.get(key).catch((error: unknown) => {
        if (error instanceof KeyNotFoundError) return undefined
        throw error
      })
      // An empty one is what a loss of power left of it: no collection of that time is still running.
      if (batch === undefined || batch.content.byteLength === 0) continue
      for (const digest of parseCondemned(key, batch.content)) digests.add(digest)
    }
    return digests
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
    const ifVersion = (await this.#driver.conditionalPuts()) ? { ifVersion: null } : undefined
    await this.#driver.put(FORMAT_MARKER, Buffer.from(FORMAT), ifVersion).catch((error: unknown) => {
      if (!(error instanceof PreconditionFailedError)) throw error // another process was first: as good
    })
  }
}

/** One object that declares for several writes. */
interface SharedIntent {
  readonly key: string
  readonly digests: Set<Digest>
  /** Writes that still rely on it. */
  holders: number
  /** Resolves, once the object is there, with what is condemned. */
  readonly declared: Promise<ReadonlySet<Digest>>
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

function ignore(): void {}
