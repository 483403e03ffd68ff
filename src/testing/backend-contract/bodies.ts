import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import type { Blobs } from '../../backend.ts'
import type { Digest } from '../../spec/digest.ts'
import { assertBytes, readBody } from '../driver-contract/context.ts'
import { seededBytes } from '../seeded.ts'
import { type ContractContext, settlesBefore, streamed } from './context.ts'

/** Connections that are kept for later come and go; what leaks in each of 20 rounds is more. */
const KEPT_CONNECTIONS = 10

export function testBodies({ runner: { describe, it }, create }: ContractContext): void {
  describe('the body of a blob', () => {
    it('is the same sent and streamed, and leaves the sink open', async () => {
      const { repository, seed } = await create()
      for (const size of [0, 1, 65_537, 1_048_577]) {
        const content = seededBytes(size, size)
        const { digest } = await seed.blobs.put(content)
        assertBytes(await streamed((await repository.blobs.open(digest)).body), content, `${size} bytes streamed`)
        assertBytes(await readBody((await repository.blobs.open(digest)).body), content, `${size} bytes sent`)
        const sink = new PassThrough().resume()
        await (await repository.blobs.open(digest)).body.sendTo(sink)
        assert.equal(sink.writableEnded, false)
        assert.equal(sink.destroyed, false)
      }
    })

    it('rejects when the sink closes, before or while it is sent', async () => {
      const { repository, seed } = await create()
      for (const size of [100, 3_000_000]) {
        const { digest } = await seed.blobs.put(seededBytes(size, size))
        const closed = new PassThrough()
        closed.destroy()
        await assert.rejects((await repository.blobs.open(digest)).body.sendTo(closed))
        const stalled = new Writable({ highWaterMark: 1, write: () => void setImmediate(() => stalled.destroy()) })
        await assert.rejects((await repository.blobs.open(digest)).body.sendTo(stalled))
      }
    })

    it('rejects with the reason when the signal aborts', async () => {
      const { repository, seed } = await create()
      const { digest } = await seed.blobs.put(seededBytes(3_000_000, 5))
      const reason = new Error('enough')
      const isReason = (error: unknown) => error === reason
      const unread = new PassThrough()
      const aborted = (await repository.blobs.open(digest)).body.sendTo(unread, AbortSignal.abort(reason))
      await assert.rejects(
        settlesBefore(() => void unread.destroy(), aborted),
        isReason,
      )
      const controller = new AbortController()
      const abort = () => void setImmediate(() => controller.abort(reason))
      const stalled = new Writable({ highWaterMark: 1, write: abort })
      const { body } = await repository.blobs.open(digest)
      const sent = body.sendTo(stalled, controller.signal)
      await assert.rejects(
        settlesBefore(() => void stalled.destroy(), sent),
        isReason,
      )
      stalled.destroy()
    })

    it('can be disposed of unread, half read, read, and twice', async () => {
      const { repository, seed } = await create()
      const content = seededBytes(1_000_000, 6)
      const { digest } = await seed.blobs.put(content)
      await endInEveryWay(repository.blobs, digest)
      assertBytes(await streamed((await repository.blobs.open(digest)).body), content, 'what is read afterwards')
    })

    it('releases what it held, however it ends', async () => {
      const { repository, seed } = await create()
      const { digest } = await seed.blobs.put(seededBytes(1_000_000, 7))
      // Once before it counts: a connection that is kept is no leak.
      await endInEveryWay(repository.blobs, digest)
      const before = openFiles()
      for (let round = 0; round < 20; round++) await endInEveryWay(repository.blobs, digest)
      // Closing is not waited for; it does take a few turns of the event loop.
      for (let turn = 0; turn < 10_000 && openFiles() > before; turn++) await nextTurn()
      assert.ok(openFiles() <= before + KEPT_CONNECTIONS, `${openFiles() - before} files and sockets left open`)
    })
  })
}

async function endInEveryWay(blobs: Blobs, digest: Digest): Promise<void> {
  const unread = (await blobs.open(digest)).body
  await unread[Symbol.asyncDispose]()
  await unread[Symbol.asyncDispose]()
  for await (const _chunk of (await blobs.open(digest)).body.stream()) break
  const stream = (await blobs.open(digest, { range: { start: 10 } })).body.stream()
  await new Promise((resolve) => stream.once('close', resolve).destroy())
  const sink = new Writable({ highWaterMark: 1, write: () => void sink.destroy() })
  await assert.rejects((await blobs.open(digest)).body.sendTo(sink))
  await assert.rejects((await blobs.open(digest)).body.sendTo(sink), 'to a sink that is closed')
  const sent = (await blobs.open(digest, { range: { start: 0, end: 10 } })).body
  await sent.sendTo(new PassThrough().resume())
  await sent[Symbol.asyncDispose]()
}

/** Files and sockets this process has open, where the system tells. */
function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
