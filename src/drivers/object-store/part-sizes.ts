/** Bytes of a part where nobody chose: what most layers get by with a few of. */
export const PART_BYTES: number = 8 * 1024 * 1024

/** Parts of the first size; from then on they are twice as large. */
const SMALL_PARTS = 64
/** S3 takes 10,000 parts of one object: with a doubling that often they hold more than the 5 TiB that it takes at all. */
const DOUBLED_EVERY = 800
/** Three of them are held by each upload. */
const MAX_ASSEMBLED_PART_BYTES = 1024 * 1024 * 1024

/** Bytes of a part that is stored as an object of its own, by how many there are already. */
export function stagedPartBytes(before: number, partBytes: number): number {
  return before < SMALL_PARTS ? partBytes : 2 * partBytes
}

/** Bytes of a part of an object that is assembled where it is to appear, by how many there are already. */
export function assembledPartBytes(before: number, partBytes: number): number {
  const grown = stagedPartBytes(before, partBytes) * 2 ** Math.floor(before / DOUBLED_EVERY)
  return Math.min(grown, MAX_ASSEMBLED_PART_BYTES)
}

const MIN_PART_BYTES = 5 * 1024 * 1024
/** Three are held by each upload. */
const MAX_PART_BYTES = 512 * 1024 * 1024

/** @throws TypeError for what is no size that every store takes */
export function checkPartBytes(bytes: number | undefined): void {
  if (bytes === undefined) return
  if (Number.isSafeInteger(bytes) && bytes >= MIN_PART_BYTES && bytes <= MAX_PART_BYTES) return
  throw new TypeError(
    `the option "partBytes" must be a whole number from ${MIN_PART_BYTES} to ${MAX_PART_BYTES}, not ${bytes}`,
  )
}
