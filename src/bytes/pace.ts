import { setImmediate } from 'node:timers'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** What all sources together may bring in one turn of the event loop before any is held back: about a millisecond's work. */
const BYTES_PER_TURN = 1024 * 1024

/** What each may bring all the same. */
const SHARE_OF_TURN = 128 * 1024

interface Turn {
  taken: number
}

/** The present one, of this thread's loop, if anything was taken in it. */
let turn: Turn | undefined

/**
 * Lets others have the event loop while a source has more to give. Node reads up to 2 MiB from one socket before it looks at the next as
 * long as each piece is taken at once, so that a few dozen clients with much to send would hold up all the rest. One that is alone is not
 * slowed down.
 */
export class Pace {
  #turn: Turn | undefined
  #taken = 0

  /** To be called for each piece, of so many bytes. The next may be taken when the promise resolves; where there is none, now. */
  take(bytes: number): Promise<void> | undefined {
    const current = presentTurn()
    if (this.#turn !== current) {
      this.#turn = current
      this.#taken = 0
    }
    this.#taken += bytes
    current.taken += bytes
    return current.taken >= BYTES_PER_TURN && this.#taken >= SHARE_OF_TURN ? nextTurn() : undefined
  }
}

function presentTurn(): Turn {
  if (turn === undefined) {
    turn = { taken: 0 }
    setImmediate(() => {
      turn = undefined
    })
  }
  return turn
}
