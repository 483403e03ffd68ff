import { describe, expect, it } from 'vitest'
import { Appender } from '../../../src/drivers/filesystem/appender.ts'
import { BufferPool } from '../../../src/drivers/filesystem/buffer-pool.ts'
import { seededBytes } from '../../../src/testing/seeded.ts'
import { systemError } from '../../support/inodes.ts'
import { interceptedOps } from '../../support/intercepted-ops.ts'
import { diskWith } from '../../support/simulated-disk.ts'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** An appender to a file whose every write takes a turn of the event loop. */
async function appenderTo(options: { failAfter?: number } = {}) {
  const disk = diskWith('/d')
  const calls: string[] = []
  let writes = 0
  const ops = interceptedOps(async ({ name, path }, proceed) => {
    if (name !== 'write') return proceed()
    if (++writes > (options.failAfter ?? Number.POSITIVE_INFINITY)) throw systemError('ENOSPC', name, path)
    await nextTurn()
    const count = await proceed()
    calls.push('written')
    return count
  }, disk)
  const fd = await disk.open('/d/file', 0o102)
  const observed: Uint8Array[] = []
  const observe = (bytes: Uint8Array) => {
    calls.push('observed')
    observed.push(new Uint8Array(bytes))
  }
  const appender = new Appender(ops, fd, { position: 0, pool: new BufferPool(), observe })
  const content = async () => {
    const buffer = Buffer.alloc(20_000_000)
    return buffer.subarray(0, await disk.read(fd, buffer, 0, buffer.length, 0))
  }
  return { appender, calls, observed, content }
}

describe('Appender', () => {
  it('writes what it was given, in order, whatever the sizes of the pieces', async () => {
    for (const size of [1, 65_536, 1_048_576, 1_048_577, 2_500_000, 5_000_000]) {
      const { appender, observed, content } = await appenderTo()
      const bytes = seededBytes(5_000_000, size)
      for (let at = 0; at < bytes.byteLength; at += size === 1 ? 999_983 : size) {
        await appender.accept(bytes.subarray(at, at + (size === 1 ? 999_983 : size)))
      }
      await appender.finish(async () => {})
      expect(appender.position).toBe(bytes.byteLength)
      expect((await content()).equals(bytes)).toBe(true)
      expect(Buffer.concat(observed).equals(bytes)).toBe(true)
    }
  })

  it('is finished only when the last write is over, also when nobody waits for a chunk any more', async () => {
    const { appender, calls, content } = await appenderTo()
    void appender.accept(seededBytes(8_000_000, 1))
    await appender.finish(async () => void calls.push('synced'))
    await nextTurn()
    await nextTurn()
    expect(calls.lastIndexOf('written')).toBeLessThan(calls.indexOf('synced'))
    expect((await content()).byteLength).toBe(8_000_000)
  })

  it('observes one buffer while the next is being written, and the last while it is synced', async () => {
    const { appender, calls } = await appenderTo()
    await appender.accept(seededBytes(3_000_000, 1))
    await appender.finish(async () => {
      calls.push('sync')
      await nextTurn()
      calls.push('synced')
    })
    expect(calls.slice(-3)).toEqual(['sync', 'observed', 'synced'])
    expect(calls.filter((call) => call === 'observed')).toHaveLength(3)
  })

  it('counts and observes what was written before a write failed, and nothing after', async () => {
    const { appender, observed, content } = await appenderTo({ failAfter: 2 })
    const bytes = seededBytes(5_000_000, 1)
    await expect(Promise.resolve(appender.accept(bytes))).rejects.toThrow('ENOSPC')
    await expect(appender.finish(async () => {})).rejects.toThrow('ENOSPC')
    expect(appender.position).toBe(2 * 1_048_576)
    expect(Buffer.concat(observed).equals(bytes.subarray(0, appender.position))).toBe(true)
    expect((await content()).equals(bytes.subarray(0, appender.position))).toBe(true)
  })

  it('fails with what observe failed with, the bytes being written all the same', async () => {
    const disk = diskWith('/d')
    const fd = await disk.open('/d/file', 0o102)
    const observe = () => {
      throw new Error('cannot hash')
    }
    const appender = new Appender(disk, fd, { position: 0, pool: new BufferPool(), observe })
    await appender.accept(seededBytes(100, 1))
    await expect(appender.finish(async () => {})).rejects.toThrow('cannot hash')
    expect(appender.position).toBe(100)
  })
})
