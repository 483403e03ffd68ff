/** Bytes that are allocated at a time. */
const SLAB_BYTES = 1024 * 1024
/** A read into less room than this is not worth its call. */
const MIN_ROOM_BYTES = 128 * 1024

/**
 * Memory that a socket reads into, handed out piece by piece. What was read belongs to its reader: nothing is used again, so nothing
 * has to be given back.
 */
export class ReceiveBuffer {
  #slab: Buffer = Buffer.alloc(0)

  /** Where the next bytes go. */
  readonly room = (): Buffer => {
    if (this.#slab.byteLength < MIN_ROOM_BYTES) this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    return this.#slab
  }

  /** The first `bytes` of the room. */
  take(bytes: number): Buffer {
    const taken = this.#slab.subarray(0, bytes)
    this.#slab = this.#slab.subarray(bytes)
    return taken
  }
}
