import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { consume } from '../../src/drivers/consume.ts'

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

function collector() {
  const taken: string[] = []
  const accept = (chunk: Uint8Array): undefined => {
    taken.push(Buffer.from(chunk).toString())
    return undefined
  }
  return { taken, accept }
}

describe('consume', () => {
  it('waits for each promise before the next chunk', async () => {
    for (const source of [Readable.from(['a', 'b', 'c']), chunks('a', 'b', 'c')]) {
      const taken: string[] = []
      let isBusy = false
      await consume(source, async (chunk) => {
        expect(isBusy).toBe(false)
        isBusy = true
        await nextTurn()
        isBusy = false
        taken.push(Buffer.from(chunk).toString())
      })
      expect(taken).toEqual(['a', 'b', 'c'])
    }
  })

  it('leaves a stream alive when it is accept that fails, and survives what the stream does later', async () => {
    const source = new PassThrough()
    source.write('a')
    const failed = consume(source, () => {
      throw new Error('the disk is full')
    })
    await expect(failed).rejects.toThrow('the disk is full')
    expect(source.destroyed).toBe(false)
    expect(source.isPaused()).toBe(true)
    source.destroy(new Error('and now the client has gone, too'))
    await nextTurn()
  })

  it('rejects with what a later accept rejects with, and asks for no more', async () => {
    let asked = 0
    const failing = async () => {
      asked++
      throw new Error('cannot write')
    }
    await expect(consume(Readable.from(['a', 'b']), failing)).rejects.toThrow('cannot write')
    await expect(consume(chunks('a', 'b'), failing)).rejects.toThrow('cannot write')
    await nextTurn()
    expect(asked).toBe(2)
  })

  it('rejects when a stream closes before its end', async () => {
    const source = new PassThrough()
    const { taken, accept } = collector()
    const consumed = consume(source, accept)
    source.write('a')
    await nextTurn()
    source.destroy()
    await expect(consumed).rejects.toThrow('closed before its end')
    expect(taken).toEqual(['a'])
    await expect(consume(source, accept)).rejects.toThrow('closed before its end')
  })

  it('resolves for a stream that is over already', async () => {
    const source = Readable.from(['a'])
    for await (const _chunk of source);
    const { taken, accept } = collector()
    await consume(source, accept)
    expect(taken).toEqual([])
  })

  it('takes a stream that was paused, and leaves no listeners on it', async () => {
    const source = Readable.from(['a', 'b'])
    source.pause()
    const { taken, accept } = collector()
    await consume(source, accept, new AbortController().signal)
    expect(taken).toEqual(['a', 'b'])
    for (const event of ['data', 'end', 'close', 'error']) expect(source.listenerCount(event), event).toBe(0)
  })

  it('closes an iterable that it does not read to the end', async () => {
    let isClosed = false
    async function* source() {
      try {
        for (;;) yield Buffer.from('a')
      } finally {
        isClosed = true
      }
    }
    const controller = new AbortController()
    const consumed = consume(source(), () => nextTurn().then(() => controller.abort()), controller.signal)
    await expect(consumed).rejects.toThrow('aborted')
    await nextTurn()
    expect(isClosed).toBe(true)
  })
})

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}
