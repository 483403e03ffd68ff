import { setImmediate } from 'node:timers/promises'

/**
 * Lets one caller at a time go on, each in a turn of the event loop of its own: what holds the loop for some milliseconds must not do so
 * for everybody who came at the same moment.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve()

  /** Resolves when it is the caller's turn, which lasts until it waits for something else. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => setImmediate())
    return this.#last
  }
}
