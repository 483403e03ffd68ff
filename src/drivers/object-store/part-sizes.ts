const MIB = 1024 * 1024

/** Parts of the first size, which is what most layers get by with. */
const SMALL_PARTS = 64
const SMALL_PART_BYTES = 8 * MIB
const LARGE_PART_BYTES = 16 * MIB
/** S3 takes 10,000 parts of one object: with a doubling every thousand they hold more than the 5 TiB that it takes at all. */
const DOUBLED_EVERY = 1_000

/** Bytes of a part that is stored as an object of its own, by how many there are already. */
export function stagedPartBytes(before: number): number {
  return before < SMALL_PARTS ? SMALL_PART_BYTES : LARGE_PART_BYTES
}

/** Bytes of a part of an object that is assembled where it is to appear, by how many there are already. */
export function assembledPartBytes(before: number): number {
  return stagedPartBytes(before) * 2 ** Math.floor(before / DOUBLED_EVERY)
}
