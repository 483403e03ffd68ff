import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createRegistryServer } from '../../src/adapters/node.ts'
import { anyone } from '../../src/auth/access.ts'
import { filesystem } from '../../src/drivers/filesystem.ts'
import type { HandlerOptions } from '../../src/http/handler.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { keysUnder } from '../support/keys.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()
const opened: { close(): Promise<unknown> }[] = []

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

/** A server over a directory. */
async function serving(options: Partial<HandlerOptions>) {
  const storage = filesystem(await temporaryDirectory())
  const registry = new Registry({ storage, logger: silentLogger })
  const server: Server = createRegistryServer(registry, { access: anyone(), logger: silentLogger, ...options })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(registry, {
    close: () => {
      const closed = once(server, 'close')
      server.close().closeAllConnections()
      return closed
    },
  })
  return { storage, port: (server.address() as AddressInfo).port }
}

/**
 * Sends pieces until all of them are out, or the connection is closed, without looking at what is said meanwhile.
 *
 * @returns all that was said, or what was when `enough` was in it
 */
async function conversation(
  port: number,
  head: readonly string[],
  pieces: Iterable<Uint8Array | string> = [],
  enough?: string,
): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  opened.push({ close: () => Promise.resolve(socket.destroy()) })
  let text = ''
  const closed = new Promise<void>((resolve) => {
    socket
      .on('error', () => {})
      .on('close', () => resolve())
      .on('data', (chunk) => {
        text += chunk.toString('latin1')
        if (enough !== undefined && text.includes(enough)) resolve()
      })
  })
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  for (const piece of pieces) {
    if (socket.destroyed) break
    if (socket.write(piece)) continue
    await Promise.race([new Promise<void>((resolve) => socket.once('drain', resolve)), closed])
  }
  await closed
  return text
}

const MIB = Buffer.alloc(1024 * 1024)

function* chunked(count: number): Generator<Uint8Array | string> {
  for (let i = 0; i < count; i++) {
    yield `${MIB.byteLength.toString(16)}\r\n`
    yield MIB
    yield '\r\n'
  }
  yield '0\r\n\r\n'
}

const target = `/v2/team/app/blobs/uploads/?digest=${digestOf(MIB)}`

describe('maxBlobBytes on the wire', () => {
  it('answers clients that send without looking, and closes', async () => {
    const { storage, port } = await serving({ maxBlobBytes: 3 * MIB.byteLength })
    const head = [`POST ${target} HTTP/1.1`, 'host: localhost']
    const heard = await Promise.all([
      conversation(port, [...head, `content-length: ${50 * MIB.byteLength}`], Array<Uint8Array>(50).fill(MIB)),
      conversation(port, [...head, 'transfer-encoding: chunked'], chunked(50)),
    ])
    const answer = {
      code: 'SIZE_INVALID',
      message: 'blob too large: at most 3145728 bytes',
      detail: { limit: 3145728 },
    }
    for (const text of heard) {
      expect(text).toMatch(/^HTTP\/1\.1 413 Payload Too Large\r\n/)
      expect(text.toLowerCase()).toContain('\r\nconnection: close\r\n')
      expect(text).toContain(JSON.stringify({ errors: [answer] }))
    }
    expect(await keysUnder(storage, 'docker/registry/v2/repositories')).toEqual([])
    expect(await keysUnder(storage, 'docker/registry/v2/blobs')).toEqual([])
  })

  it('spares a client that asks first the sending', async () => {
    const { port } = await serving({ maxBlobBytes: 3 })
    const asking = ['expect: 100-continue', 'content-length: 4']
    const heard = await conversation(
      port,
      [`POST ${target} HTTP/1.1`, 'host: localhost', ...asking],
      [],
      'SIZE_INVALID',
    )
    expect(heard.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413'])
  })
})
