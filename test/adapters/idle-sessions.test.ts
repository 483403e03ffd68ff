import { once } from 'node:events'
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { endWhenIdle } from '../../src/adapters/idle-sessions.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function serving(idleMs: number) {
  const server = createServer().listen(0, '127.0.0.1')
  const session = once(server, 'session').then(([it]) => {
    endWhenIdle(it as ServerHttp2Session, idleMs)
    return it as ServerHttp2Session
  })
  await once(server, 'listening')
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  const open = () => {
    const client = connect(`http://127.0.0.1:${port}`).on('error', () => {})
    closers.push(() => client.destroy())
    return client
  }
  return { server, session, open, port }
}

describe('a connection over http2', () => {
  it('is ended in order when nothing is asked for', async () => {
    const { open } = await serving(10)
    const client = open()
    const [[code]] = await Promise.all([once(client, 'goaway'), once(client, 'close')])
    expect(code).toBe(0)
  })

  it('is kept while an answer takes its time, and ended after it', async () => {
    const { server, session, open } = await serving(10)
    const client = open()
    const request = client.request({ ':path': '/' }).resume()
    const answered = once(request, 'response')
    const [stream] = (await once(server, 'stream')) as [ServerHttp2Stream]
    for (let i = 0; i < 3; i++) await once(await session, 'timeout')
    expect(client.closed).toBe(false)
    stream.respond({ ':status': 200 }, { endStream: true })
    const [{ ':status': status }] = await answered
    expect(status).toBe(200)
    await once(client, 'close')
  })

  it('is ended as well where its client says nothing at all', async () => {
    const { session, port } = await serving(10)
    const socket = connectSocket(port, '127.0.0.1')
    closers.push(() => socket.destroy())
    await once(socket, 'connect')
    await once(socket.resume(), 'close')
    expect((await session).destroyed).toBe(true)
  })
})
