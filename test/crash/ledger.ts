/**
 * What clients were told, and so what a server that was killed must still know. A fact is written down when its answer is
 * whole, and before the next request of that client goes out.
 */

export interface BlobFact {
  readonly repository: string
  readonly digest: string
  readonly size: number
}

export interface ManifestFact {
  readonly repository: string
  readonly digest: string
  readonly content: Uint8Array
}

/** An attempt to move a tag; times by the order in which this process saw things. */
export interface TagWrite {
  readonly repository: string
  readonly tag: string
  readonly digest: string
  readonly begun: number
  /** Infinity: no answer came, so that it may or may not have happened. */
  acknowledged: number
}

/** An upload that was begun and not acknowledged as finished. */
export interface OpenUpload {
  readonly repository: string
  readonly digest: string
  readonly content: Uint8Array
  location: string
  /** Bytes that the server has said it has. */
  acknowledged: number
  /** Whether the request that finishes it has been sent. */
  finishing: boolean
}

export class Ledger {
  readonly blobs: BlobFact[] = []
  readonly manifests: ManifestFact[] = []
  readonly tags: TagWrite[] = []
  readonly uploads = new Set<OpenUpload>()
  /** Answers that a working server must not give. */
  readonly surprises: string[] = []
  #time = 0
  #answers = 0
  readonly #waiting: { readonly answers: number; readonly resolve: () => void }[] = []

  /** A moment after all moments before. */
  now(): number {
    return ++this.#time
  }

  /** A client has been answered. */
  countAnswer(): void {
    this.#answers++
    for (const { answers, resolve } of this.#waiting) if (answers <= this.#answers) resolve()
  }

  /** Resolves when the clients have been answered so often. */
  untilAnswered(answers: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ answers, resolve }))
  }

  beginTag(repository: string, tag: string, digest: string): TagWrite {
    const write = { repository, tag, digest, begun: this.now(), acknowledged: Number.POSITIVE_INFINITY }
    this.tags.push(write)
    return write
  }
}

/**
 * The digests that a tag may point to, when nothing is being written any more: those of the writes that no acknowledged
 * write came entirely after. `undefined` among them: it may be absent.
 */
export function possibleTargets(writes: readonly TagWrite[]): ReadonlySet<string | undefined> {
  const lastBegun = Math.max(0, ...writes.filter(isAcknowledged).map(({ begun }) => begun))
  const possible = new Set<string | undefined>(
    writes.filter((write) => write.acknowledged > lastBegun).map((w) => w.digest),
  )
  if (!writes.some(isAcknowledged)) possible.add(undefined)
  return possible
}

function isAcknowledged(write: TagWrite): boolean {
  return write.acknowledged !== Number.POSITIVE_INFINITY
}
