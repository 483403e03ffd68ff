import { createHash, type Hash } from 'node:crypto'
import type { DigestAlgorithm } from '../spec/digest.ts'

/** Uploads whose running hash is kept between requests; for one more, the longest idle is forgotten and read again at its end. */
const MAX_HASHES = 1_000

/** The hash over the first `size` bytes of an upload. */
export interface RunningHash {
  readonly algorithm: DigestAlgorithm
  readonly hash: Hash
  readonly startedAt: Date
  size: number
}

/** A call that is appending to, or committing, an upload at this moment. */
export interface RunningCall {
  readonly abort: AbortController
  /** When it last brought bytes, in milliseconds of the monotonic clock. */
  progressAt: number
  readonly ended: Promise<void>
}

/** What this process remembers of uploads between requests. Everything in it can be found again by reading what is stored. */
export class UploadTable {
  readonly #hashes = new Map<string, RunningHash>()
  /** By upload key: one call at a time. */
  readonly running: Map<string, RunningCall> = new Map()

  keep(key: string, hash: RunningHash): void {
    this.#hashes.delete(key)
    this.#hashes.set(key, hash)
    if (this.#hashes.size <= MAX_HASHES) return
    for (const oldest of this.#hashes.keys()) {
      this.#hashes.delete(oldest)
      return
    }
  }

  /** Hands over the running hash of an upload, if it is still kept and covers exactly `size` bytes. */
  take(key: string, size: number): RunningHash | undefined {
    const kept = this.#hashes.get(key)
    this.#hashes.delete(key)
    return kept?.size === size ? kept : undefined
  }

  /** An upload that begins here, and by which algorithm the client said it would name it. */
  begin(key: string, algorithm: DigestAlgorithm, startedAt: Date): void {
    this.keep(key, { algorithm, hash: createHash(algorithm), size: 0, startedAt })
  }

  /** What is remembered without asking the storage, which may have lost the upload since. */
  peek(key: string): Pick<RunningHash, 'algorithm' | 'startedAt'> | undefined {
    return this.#hashes.get(key)
  }

  forget(key: string): void {
    this.#hashes.delete(key)
  }
}
