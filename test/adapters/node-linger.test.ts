import { once } from 'node:events'
import { type ClientHttp2Stream, connect, constants, createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'

/** Refuses an upload whose body has not ended, and hands both of its ends over once the refusal was read. */
async function refusedUpload(use: (client: ClientHttp2Stream, server: ServerHttp2Stream) => Promise<void>) {
  const listener = toNodeListener(() => Promise.resolve({ status: 401, headers: {}, body: 'no' }))
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  try {
    const accepted = once(server, 'stream')
    const upload = session.request({ ':method': 'PUT', ':path': '/v2/a' }, { endStream: false })
    upload.write('half of it')
    const [{ ':status': status }] = await once(upload, 'response')
    expect(status).toBe(401)
    let answer = ''
    for await (const text of upload.setEncoding('utf8').iterator({ destroyOnReturn: false })) answer += text
    expect(answer).toBe('no')
    const [stream] = await accepted
    await use(upload, stream)
  } finally {
    session.destroy()
    server.close()
    await once(server, 'close')
  }
}

describe('lingerThenReset', () => {
  afterEach(() => void vi.useRealTimers())

  it('resets a sender that goes on, without an error, a second after it could read the answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await refusedUpload(async (client, server) => {
      const reset = once(client, 'close')
      const released = once(server, 'close')
      vi.advanceTimersByTime(999)
      expect(server.closed).toBe(false)
      vi.advanceTimersByTime(1)
      expect(server.closed).toBe(true)
      await Promise.all([reset, released])
      expect(client.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
      expect(client.errored).toBeNull()
    })
  })

  it('releases what a sender that came to its end had sent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await refusedUpload(async (client, server) => {
      const ended = once(client, 'close')
      const released = once(server, 'close')
      client.end('and the rest')
      await ended
      expect(server.destroyed).toBe(false)
      vi.advanceTimersByTime(1000)
      await released
      expect(client.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
    })
  })

  // Whether Node lets go of the stream at once depends on how much of the body had come, and on its release.
  it('releases what a sender that cancelled had sent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await refusedUpload(async (client, server) => {
      const cancelled = once(client, 'close')
      const released = once(server, 'close')
      client.close(constants.NGHTTP2_CANCEL)
      await cancelled
      vi.advanceTimersByTime(1000)
      await released
      expect(client.rstCode).toBe(constants.NGHTTP2_CANCEL)
      expect(vi.getTimerCount()).toBe(0)
    })
  })
})
