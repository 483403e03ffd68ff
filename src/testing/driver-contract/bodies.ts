import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import type { StorageDriver } from '../../storage/driver.ts'
import { seededBytes } from '../seeded.ts'
import { assertBytes, type ContractContext, readBody } from './context.ts'

const SIZES = [0, 1, 65_536, 65_537, 1_048_576, 5_000_000]

export function testBodies({ runner: { describe, it }, create }: ContractContext): void {
  describe('the body of a read', () => {
    it('is sent whole, and leaves the sink open', async () => {
      const driver = await create()
      for (const size of SIZES) {
        const content = seededBytes(size, size)
        await driver.put('b/key', content)
        const { body } = await driver.read('b/key')
        assert.equal(body.size, size)
        assertBytes(await readBody(body), content, `${size} bytes sent`)
      }
    })

    it('is streamed whole', async () => {
      const driver = await create()
      for (const size of SIZES) {
        const content = seededBytes(size, size)
        await driver.put('b/key', content)
        const { body } = await driver.read('b/key')
        const chunks: Uint8Array[] = []
        for await (const chunk of body.stream()) chunks.push(chunk)
        assertBytes(Buffer.concat(chunks), content, `${size} bytes streamed`)
      }
    })

    it('is the same for many who read at once', async () => {
      const driver = await create()
      const content = seededBytes(2_500_000, 3)
      await driver.put('b/key', content)
      const read = async () => assertBytes(await readBody((await driver.read('b/key')).body), content)
      await Promise.all(Array.from({ length: 20 }, read))
    })

    it('does not go on before the sink has taken what it got', async () => {
      const driver = await create()
      await driver.put('b/key', seededBytes(8 * 1024 * 1024, 4))
      const { body } = await driver.read('b/key')
      let received = 0
      const firstWrite = withResolvers<() => void>()
      const sink = new Writable({
        highWaterMark: 1,
        write(chunk, _encoding, done) {
          received += chunk.byteLength
          firstWrite.resolve(done)
        },
      })
      const sent = body.sendTo(sink)
      const release = await firstWrite.promise
      for (let turn = 0; turn < 50; turn++) await nextTurn()
      assert.equal(sink.writableLength, received, 'nothing waits behind what the sink is busy with')
      sink._write = (chunk, _encoding, done) => {
        received += chunk.byteLength
        done()
      }
      release()
      await sent
      assert.equal(received, 8 * 1024 * 1024)
    })

    it('rejects when the sink closes, before or while it is sent', async () => {
      const driver = await create()
      for (const size of [100, 3_000_000]) {
        await driver.put('b/key', seededBytes(size, size))
        const closed = new PassThrough()
        closed.destroy()
        await assert.rejects((await driver.read('b/key')).body.sendTo(closed))
        const stalled = new Writable({ highWaterMark: 1, write: () => setImmediate(() => stalled.destroy()) })
        await assert.rejects((await driver.read('b/key')).body.sendTo(stalled))
      }
    })

    it('rejects when the signal aborts', async () => {
      const driver = await create()
      await driver.put('b/key', seededBytes(3_000_000, 5))
      const reason = new Error('enough')
      const isReason = (error: unknown) => error === reason
      await assert.rejects(
        (await driver.read('b/key')).body.sendTo(new PassThrough(), AbortSignal.abort(reason)),
        isReason,
      )
      const controller = new AbortController()
      const stalled = new Writable({ highWaterMark: 1, write: () => setImmediate(() => controller.abort(reason)) })
      await assert.rejects((await driver.read('b/key')).body.sendTo(stalled, controller.signal), isReason)
      stalled.destroy()
    })

    it('releases its file, however it ends', async () => {
      const driver = await create()
      await driver.put('b/key', seededBytes(3_000_000, 6))
      // Once before it counts: a connection that is kept is no leak.
      await endInEveryWay(driver)
      const before = openFiles()
      for (let round = 0; round < 20; round++) await endInEveryWay(driver)
      // Closing is not waited for; it does take a few turns of the event loop.
      for (let turn = 0; turn < 10_000 && openFiles() > before; turn++) await nextTurn()
      assert.ok(openFiles() <= before, `${openFiles() - before} files left open`)
    })
  })
}

async function endInEveryWay(driver: StorageDriver): Promise<void> {
  await readBody((await driver.read('b/key')).body)
  await driver.get('b/key')
  await assert.rejects(driver.read('b/none'))
  const unread = await driver.read('b/key')
  await unread.body[Symbol.asyncDispose]()
  await unread.body[Symbol.asyncDispose]()
  for await (const _chunk of (await driver.read('b/key')).body.stream()) break
  const stream = (await driver.read('b/key', { range: { start: 10 } })).body.stream()
  await new Promise((resolve) => stream.once('close', resolve).destroy())
  const sink = new Writable({ highWaterMark: 1, write: () => void sink.destroy() })
  await assert.rejects((await driver.read('b/key')).body.sendTo(sink))
  const { body } = await driver.read('b/key')
  const sent = body.sendTo(new PassThrough().resume())
  await sent
  await body[Symbol.asyncDispose]()
}

/** Files and sockets this process has open, where the system tells. */
function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** `Promise.withResolvers` of Node 22. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolvePromise: (value: T) => void = () => {}
  const promise = new Promise<T>((resolve) => {
    resolvePromise = resolve
  })
  return { promise, resolve: resolvePromise }
}
