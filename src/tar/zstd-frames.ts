// Where the frames of a zstd stream begin and end (RFC 8878 §3.1): by their lengths alone, nothing is decompressed. Node's decompressor
// ends with the first frame and forgets the rest (22, 24), or takes half a frame for a whole one (22).
import { ByteQueue } from './byte-queue.ts'

const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])
/** Of a skippable frame, after a byte from 0x50 to 0x5f (§3.1.2). */
const SKIPPABLE_MAGIC = Buffer.from([0x2a, 0x4d, 0x18])
const SKIPPABLE_SIZE_BYTES = 4

/** Bytes of a dictionary's ID, by the flag for it. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const
/** Bytes of the size of the content, by the flag for it; with a single segment, the first is 1. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4

/** What comes next in a frame: to be read, as the rest depends on it, or only to be passed over. */
interface Part {
  readonly bytes: number
  readonly isRead: boolean
}

/**
 * The frames with content, in order; skippable ones are passed over. Each is to be read to its end before the next is asked for. Holds
 * one chunk of `source` at a time, and lets go of it at the end.
 *
 * @throws `Error` for a stream that is cut short, and for what is no frame; in a frame, whoever reads that
 */
export async function* zstdFrames(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<AsyncGenerator<Uint8Array, void>, void> {
  const queue = new ByteQueue(source)
  try {
    for (;;) {
      const start = queue.position
      const magic = await queue.exactly(MAGIC.byteLength)
      if (magic.byteLength === 0) return
      if (isSkippable(magic)) await passOver(queue, start)
      else if (startsWith(MAGIC, magic)) yield frame(queue, magic, start)
      else throw new Error(`byte ${start} should begin a zstd frame, and does not`)
    }
  } finally {
    await queue.close()
  }
}

async function* frame(queue: ByteQueue, magic: Uint8Array, start: number): AsyncGenerator<Uint8Array, void> {
  yield magic
  for (const walk = new FrameWalk(); !walk.isOver; ) {
    const chunk = await queue.some(Number.POSITIVE_INFINITY)
    if (chunk === undefined) throw cutShort(start)
    const taken = walk.take(chunk)
    queue.giveBack(chunk.subarray(taken))
    yield chunk.subarray(0, taken)
  }
}

async function passOver(queue: ByteQueue, start: number): Promise<void> {
  const size = Buffer.from(await queue.exactly(SKIPPABLE_SIZE_BYTES))
  const isCut = size.byteLength < SKIPPABLE_SIZE_BYTES || (await queue.skip(size.readUInt32LE())) > 0
  if (isCut) throw cutShort(start)
}

/** Finds the end of a frame, from behind its magic number on, in pieces of any size. */
class FrameWalk {
  readonly #parts = partsOfFrame()
  #step = this.#parts.next(NOTHING)
  #read: Uint8Array = NOTHING
  #passed = 0

  get isOver(): boolean {
    return this.#step.done === true
  }

  /** @returns how many bytes of `chunk` belong to the frame */
  take(chunk: Uint8Array): number {
    let at = 0
    while (!this.#step.done && at < chunk.byteLength) {
      const { bytes, isRead } = this.#step.value
      const taken = chunk.subarray(at, at + bytes - this.#passed)
      if (isRead) this.#read = this.#passed === 0 ? taken : Buffer.concat([this.#read, taken])
      this.#passed += taken.byteLength
      at += taken.byteLength
      if (this.#passed === bytes) this.#next()
    }
    return at
  }

  /** What has no bytes takes none to be over. */
  #next(): void {
    do this.#step = this.#parts.next(this.#read)
    while (!this.#step.done && this.#step.value.bytes === 0)
    this.#passed = 0
  }
}

/** Is given the bytes of each part that it wants read. */
function* partsOfFrame(): Generator<Part, void, Uint8Array> {
  const [descriptor = 0] = yield { bytes: 1, isRead: true }
  yield { bytes: headerBytes(descriptor), isRead: false }
  for (let isLast = false; !isLast; ) {
    const [low = 0, middle = 0, high = 0] = yield { bytes: BLOCK_HEADER_BYTES, isRead: true }
    isLast = (low & 1) === 1
    const type = (low >> 1) & 3
    // A repeated byte is there once (§3.1.1.2.2); what is reserved, the decompressor refuses.
    yield { bytes: type === 1 ? 1 : (low | (middle << 8) | (high << 16)) >> 3, isRead: false }
  }
  if ((descriptor & 4) !== 0) yield { bytes: CHECKSUM_BYTES, isRead: false }
}

/** Bytes of a frame's header behind its descriptor (§3.1.1.1). */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSizeFlag = (descriptor >> 6) as 0 | 1 | 2 | 3
  const contentSize = contentSizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[contentSizeFlag]
  const window = isSingleSegment ? 0 : 1
  return window + DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3] + contentSize
}

/** Also for the first bytes of such a magic number, where there are no more. */
function isSkippable(magic: Uint8Array): boolean {
  return ((magic[0] ?? 0) & 0xf0) === 0x50 && startsWith(SKIPPABLE_MAGIC, magic.subarray(1))
}

function startsWith(whole: Buffer, start: Uint8Array): boolean {
  return whole.subarray(0, start.byteLength).equals(start)
}

function cutShort(start: number): Error {
  return new Error(`the zstd frame that begins at byte ${start} is cut short`)
}

const NOTHING = new Uint8Array()
