import type { OpenFile } from '../drivers/filesystem/open-file.ts'
import type { Digest } from '../spec/digest.ts'

/** A stretch of an open file that holds one blob; whoever asked for it releases the file. */
export interface BlobPlace {
  readonly file: OpenFile
  readonly start: number
  /** Bytes. */
  readonly size: number
}

/** Bytes on their way into a layout: not to be found by anybody before they are published. */
export interface StagedBlob {
  /** Where to write: byte 0 goes to `start` of the file. */
  open(): Promise<{ readonly fd: number; readonly start: number }>
  /** At most so many bytes have a place. */
  readonly maxBytes?: number
  /** Makes its first `size` bytes durable, as the blob `digest`; they were verified. */
  publish(digest: Digest, size: number): Promise<void>
  /** Closes what {@link open} opened; the bytes stay. */
  release(): Promise<void>
  /** Idempotent, and a no-op after `publish`. */
  discard(): Promise<void>
}

/** The blobs of a layout, wherever they lie: files of a directory, or stretches of an archive. */
export interface BlobFiles {
  /** Bytes; `undefined` for what is absent. */
  size(digest: Digest): Promise<number | undefined>
  open(digest: Digest): Promise<BlobPlace | undefined>
  /** Every blob, in byte order. */
  list(): Promise<readonly Digest[]>
  /** @param size - where it is known that the blob will have so many bytes, neither more nor less */
  stage(size: number | undefined): Promise<StagedBlob>
  /** Resolves with whether it was there. */
  delete(digest: Digest): Promise<boolean>
}
