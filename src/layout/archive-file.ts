import type { FileOps } from '../drivers/filesystem/file-ops.ts'
import { OpenFile } from '../drivers/filesystem/open-file.ts'
import { closedArchive } from './errors.ts'

/** One open file that many read from: each reader closes its own part, the file goes when the last owner is done with it. */
export class ArchiveFile {
  readonly ops: FileOps
  readonly #fd: number
  readonly #leases = new Set<OpenFile>()
  #closed: Promise<void> | undefined

  constructor(ops: FileOps, fd: number) {
    this.ops = ops
    this.#fd = fd
  }

  /** The system may have given the number of a closed file to another one. @throws {@link RegistryError} `UNSUPPORTED` once it is closed */
  get fd(): number {
    if (this.#closed) throw closedArchive()
    return this.#fd
  }

  /** To be released by whoever asked for it. */
  lease(): OpenFile {
    const close = async (): Promise<void> => void this.#leases.delete(file)
    const file: OpenFile = new OpenFile({ ...this.ops, close }, this.fd)
    this.#leases.add(file)
    return file
  }

  async read(start: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length)
    const file = this.lease()
    try {
      await file.readFully(buffer, length, start)
    } finally {
      void file.release()
    }
    return buffer
  }

  /** Ends all reading first: a descriptor that the system gives to another file must not be read for this one. */
  close(): Promise<void> {
    this.#closed ??= Promise.all(Array.from(this.#leases, (file) => file.release())).then(() =>
      this.ops.close(this.#fd),
    )
    return this.#closed
  }
}

/** Bytes in memory, to be read as those of a file. */
export function memoryFile(ops: FileOps, content: Uint8Array): OpenFile {
  const read: FileOps['read'] = async (_, buffer, offset, length, position) => {
    const part = content.subarray(position, position + length)
    buffer.set(part, offset)
    return part.byteLength
  }
  return new OpenFile({ ...ops, read, close: () => Promise.resolve() }, -1)
}
