import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { FileOps } from '../../../src/drivers/filesystem/file-ops.ts'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import { seededBytes } from '../../../src/testing/seeded.ts'
import { diskWith } from '../../support/simulated-disk.ts'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A disk whose reads take a while, and which notices a descriptor that is closed twice, or under a read. */
function watchedDisk() {
  const disk = diskWith('/disk')
  const reading = new Set<number>()
  const problems: string[] = []
  const watched: FileOps = new Proxy(disk, {
    get: (target, name) => {
      if (name === 'read') {
        return async (fd: number, ...rest: [Uint8Array, number, number, number]) => {
          reading.add(fd)
          await nextTurn()
          const count = await target.read(fd, ...rest).catch((error) => {
            problems.push(`read of ${fd}: ${error}`)
            throw error
          })
          reading.delete(fd)
          return count
        }
      }
      if (name === 'close') {
        return async (fd: number) => {
          if (reading.has(fd)) problems.push(`${fd} closed under a read`)
          await target.close(fd).catch((error) => problems.push(`close of ${fd}: ${error}`))
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { disk, problems, driver: filesystem('/disk', { fs: watched }) }
}

describe('the file of a body', () => {
  it('is closed once, and not under a read, however the body ends', async () => {
    const { disk, problems, driver } = watchedDisk()
    await driver.put('key', seededBytes(3_000_000, 1))
    const open = async () => (await driver.read('key')).body
    const endings: (() => Promise<unknown>)[] = [
      async () => (await open())[Symbol.asyncDispose](),
      async () => {
        const body = await open()
        await Promise.all([body[Symbol.asyncDispose](), body[Symbol.asyncDispose]()])
      },
      async () => {
        const body = await open()
        await body.sendTo(new PassThrough().resume())
        await body[Symbol.asyncDispose]()
      },
      async () => {
        const body = await open()
        const sent = body.sendTo(new PassThrough().resume())
        await body[Symbol.asyncDispose]()
        await expect(sent).rejects.toThrow('disposed of')
      },
      async () => {
        const sink = new PassThrough()
        const sent = (await open()).sendTo(sink)
        sink.destroy()
        await expect(sent).rejects.toThrow('closed')
      },
      async () => {
        const stream = (await open()).stream()
        stream.resume()
        await nextTurn()
        await new Promise((resolve) => stream.once('close', resolve).destroy())
      },
      async () => {
        for await (const _chunk of (await open()).stream());
      },
      async () => (await open()).stream().destroy(),
    ]
    for (const end of endings) await end()
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    expect(problems).toEqual([])
    expect(disk.openPaths).toEqual([])
  })

  it('rejects when the file is shorter than it was, instead of sending less', async () => {
    const { disk, driver } = watchedDisk()
    await driver.put('key', seededBytes(100_000, 1))
    const { body } = await driver.read('key')
    disk.read = async () => 0
    await expect(body.sendTo(new PassThrough().resume())).rejects.toThrow('the file ended at byte 0')
  })
})

describe('the buffer that a sink has when it gives up', () => {
  it('is not used again: the system may be sending it yet', async () => {
    const { driver } = watchedDisk()
    const content = seededBytes(3_000_000, 1)
    await driver.put('first', content)
    await driver.put('second', new Uint8Array(3_000_000))
    const held: Uint8Array[] = []
    const controller = new AbortController()
    const stalled = new Writable({
      highWaterMark: 1,
      write: (chunk) => {
        held.push(chunk)
        setImmediate(() => controller.abort())
      },
    })
    await expect((await driver.read('first')).body.sendTo(stalled, controller.signal)).rejects.toThrow('aborted')
    for (let round = 0; round < 5; round++) await (await driver.read('second')).body.sendTo(new PassThrough().resume())
    const [chunk] = held
    expect(chunk && Buffer.from(chunk).equals(content.subarray(0, chunk.byteLength))).toBe(true)
  })
})
