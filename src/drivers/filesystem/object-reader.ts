import { constants } from 'node:fs'
import type { ByteBody, ByteRange } from '../../bytes.ts'
import { KeyNotFoundError, type ObjectStat } from '../../storage/driver.ts'
import type { BufferPool } from './buffer-pool.ts'
import { versionOf } from './claims.ts'
import { codeOf, isMissing } from './errors.ts'
import { FileBody } from './file-body.ts'
import { type FileOps, type FileStat, NOFOLLOW } from './file-ops.ts'
import { OpenFile } from './open-file.ts'

/** Read at once with the size, before that is known: links, tags and most manifests are smaller. */
const FIRST_READ_BYTES = 16 * 1024

const MAX_SCRATCH = 16

/** Not through a symbolic link, and not waiting for the other end of a pipe that somebody put there. */
const FLAGS = constants.O_RDONLY | NOFOLLOW | (constants.O_NONBLOCK ?? 0)

/** Reads what is published. A file never changes once it has its name, so any read of an open one is consistent. */
export class ObjectReader {
  readonly #ops: FileOps
  readonly #root: string
  readonly #pool: BufferPool
  readonly #scratch: Buffer[] = []

  constructor(ops: FileOps, root: string, pool: BufferPool) {
    this.#ops = ops
    this.#root = root
    this.#pool = pool
  }

  async get(key: string): Promise<{ stat: ObjectStat; content: Uint8Array }> {
    const file = await this.#open(key)
    const scratch = this.#scratch.pop() ?? Buffer.allocUnsafeSlow(FIRST_READ_BYTES)
    try {
      const [stat, count] = await Promise.allSettled([
        this.#ops.fstat(file.fd),
        this.#ops.read(file.fd, scratch, 0, FIRST_READ_BYTES, 0),
      ])
      if (stat.status === 'rejected') throw stat.reason
      if (count.status === 'rejected')
        throw codeOf(count.reason) === 'EISDIR' ? new KeyNotFoundError(key) : count.reason
      const result = statOf(key, stat.value)
      if (!result) throw new KeyNotFoundError(key)
      if (result.size <= count.value) return { stat: result, content: Buffer.from(scratch.subarray(0, result.size)) }
      const content = Buffer.allocUnsafeSlow(result.size)
      content.set(scratch.subarray(0, count.value))
      await file.readFully(content.subarray(count.value), result.size - count.value, count.value)
      return { stat: result, content }
    } finally {
      if (this.#scratch.length < MAX_SCRATCH) this.#scratch.push(scratch)
      void file.release()
    }
  }

  async read(key: string, range: ByteRange | undefined): Promise<{ stat: ObjectStat; body: ByteBody }> {
    const file = await this.#open(key)
    try {
      const stat = statOf(key, await this.#ops.fstat(file.fd))
      if (!stat) throw new KeyNotFoundError(key)
      const start = Math.min(range?.start ?? 0, stat.size)
      const end = Math.max(start, Math.min(range?.end ?? stat.size, stat.size))
      return { stat, body: new FileBody(file, this.#pool, start, end - start) }
    } catch (error) {
      void file.release()
      throw error
    }
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    try {
      return statOf(key, await this.#ops.lstat(`${this.#root}/${key}`))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async #open(key: string): Promise<OpenFile> {
    return new OpenFile(this.#ops, await this.#ops.open(`${this.#root}/${key}`, FLAGS))
  }
}

/** `undefined` for a folder, and for anything else that is not a file. */
function statOf(key: string, stat: FileStat): ObjectStat | undefined {
  if (!stat.isFile()) return undefined
  const modifiedAt = new Date(Number(stat.mtimeNs / 1_000_000n))
  return { key, size: Number(stat.size), modifiedAt, version: versionOf(stat) }
}
