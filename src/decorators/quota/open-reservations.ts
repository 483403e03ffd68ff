import type { Reservation } from './reservation.ts'

/** An upload that nobody has touched for so long gives its room away; it takes it again when it goes on. */
const IDLE_MS = 60 * 60 * 1000

export interface UploadKey {
  readonly id: string
  readonly repository: string
}

interface Entry {
  readonly repository: string
  readonly reservation: Promise<Reservation>
  touchedAt: number
  /** Requests that are running. */
  steps: number
}

/** The room of uploads that go on from request to request. */
export class OpenReservations {
  readonly #now: () => number
  /** By id; whoever was touched last stands at the end. */
  readonly #open = new Map<string, Entry>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Keeps the room of an upload that begins. */
  begin({ id, repository }: UploadKey, reservation: Promise<Reservation>): Entry {
    const entry = { repository, reservation, touchedAt: this.#now(), steps: 0 }
    this.#open.set(id, entry)
    return entry
  }

  /**
   * Runs one request of an upload, with its room, or new one.
   *
   * @param step - told whether there is another one, which there should not be
   */
  async during<T>(
    upload: UploadKey,
    make: () => Promise<Reservation>,
    step: (reservation: Reservation, isAlone: () => boolean) => Promise<T>,
  ): Promise<T> {
    const entry = this.#open.get(upload.id) ?? this.begin(upload, make())
    this.#touch(upload.id, entry)
    entry.steps++
    try {
      const reservation = await entry.reservation.catch((error: unknown) => {
        // To be asked for again.
        if (this.#open.get(upload.id) === entry) this.#open.delete(upload.id)
        throw error
      })
      return await step(reservation, () => entry.steps === 1)
    } finally {
      entry.steps--
      this.#touch(upload.id, entry)
    }
  }

  /** Gives its room away, where it has some. */
  async end(id: string): Promise<void> {
    const entry = this.#open.get(id)
    this.#open.delete(id)
    await entry?.reservation.then((it) => it.close()).catch(() => {})
  }

  /** Those of a repository that is gone. */
  async endIn(repository: string): Promise<void> {
    for (const [id, entry] of this.#open) if (entry.repository === repository) await this.end(id)
  }

  /** Gives away the room of those that nobody came back to. */
  async endIdle(): Promise<void> {
    for (const [id, { touchedAt, steps }] of this.#open) {
      if (this.#now() - touchedAt < IDLE_MS) return
      if (steps === 0) await this.end(id)
    }
  }

  #touch(id: string, entry: Entry): void {
    if (this.#open.get(id) !== entry) return
    entry.touchedAt = this.#now()
    this.#open.delete(id)
    this.#open.set(id, entry)
  }
}
