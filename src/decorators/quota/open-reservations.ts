import type { Reservation } from './reservation.ts'

/** An upload that nobody has touched for so long gives its room away; it takes it again when it goes on. */
const IDLE_MS = 60 * 60 * 1000

/** The room of uploads that go on from request to request, by their ids. */
export class OpenReservations {
  readonly #now: () => number
  /** Whoever was touched last stands at the end. */
  readonly #open = new Map<string, { readonly reservation: Promise<Reservation>; readonly touchedAt: number }>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** That of an upload, or a new one. One that cannot be made is asked for again. */
  of(id: string, make: () => Promise<Reservation>): Promise<Reservation> {
    const reservation = this.#open.get(id)?.reservation ?? make()
    this.#open.delete(id)
    this.#open.set(id, { reservation, touchedAt: this.#now() })
    reservation.catch(() => {
      if (this.#open.get(id)?.reservation === reservation) this.#open.delete(id)
    })
    return reservation
  }

  /** Gives its room away, where it has some. */
  async end(id: string): Promise<void> {
    const entry = this.#open.get(id)
    this.#open.delete(id)
    await entry?.reservation.then((it) => it.release()).catch(() => {})
  }

  /** Gives away the room of those that nobody came back to. */
  async endIdle(): Promise<void> {
    for (const [id, { touchedAt }] of this.#open) {
      if (this.#now() - touchedAt < IDLE_MS) return
      await this.end(id)
    }
  }
}
