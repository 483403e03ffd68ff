// Blobs of any size that cost little to make, and the memory that a server needs for them.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/**
 * A blob of `size` bytes, a mebibyte at a time: no two blocks are alike, and none costs more than a copy to make. Every `name` has other
 * bytes.
 */
export function* blocks(size, name = 'wharfage') {
  const pattern = createHash('shake256', { outputLength: 1 << 20 })
    .update(name)
    .digest()
  for (let at = 0; at < size; at += pattern.length) {
    const block = Buffer.from(pattern)
    block.writeBigUInt64LE(BigInt(at))
    yield at + block.length > size ? block.subarray(0, size - at) : block
  }
}

export function digestOfBlocks(size, name) {
  const hash = createHash('sha256')
  for (const block of blocks(size, name)) hash.update(block)
  return `sha256:${hash.digest('hex')}`
}

/** The most memory that a process has had, in MiB. */
export function peakMiB(pid) {
  return statusMiB(pid, 'VmHWM')
}

/** What it has now. */
export function residentMiB(pid) {
  return statusMiB(pid, 'VmRSS')
}

async function statusMiB(pid, field) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
}
