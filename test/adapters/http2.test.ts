import { once } from 'node:events'
import { constants, createServer } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { consume } from '../../src/drivers/consume.ts'
import { silentLogger } from '../../src/logger.ts'
import { withResolvers } from '../support/with-resolvers.ts'
import { DATA, END_HEADERS, frame, HEADERS, literal, PREFACE, RST_STREAM, SETTINGS } from './http2-frames.ts'

/** `PUT /v2/a` over http to localhost, as HPACK has it (RFC 7541, 6.2.2 and appendix A). */
const putHeaders = Buffer.from([...literal(2, 'PUT'), ...literal(4, '/v2/a'), 0x86, ...literal(1, 'localhost')])

describe('an upload over http2', () => {
  // Node's own client ends a request in order before it resets it: only frames of our own tell.
  it.each([
    ['CANCEL', constants.NGHTTP2_CANCEL],
    ['NO_ERROR', constants.NGHTTP2_NO_ERROR],
  ])('is not taken for complete when it is reset with %s', async (_name, code) => {
    const { promise: outcome, resolve: tell } = withResolvers<unknown>()
    const { promise: started, resolve: begun } = withResolvers()
    const { promise: left, resolve: aborted } = withResolvers()
    const listener = toNodeListener(
      async ({ body, signal }) => {
        signal.addEventListener('abort', () => aborted())
        try {
          // As the drivers read: by events where they may.
          await consume(body, () => void begun())
          tell('complete')
        } catch (error) {
          tell(error)
        }
        return { status: 201, headers: {}, body: null }
      },
      { logger: silentLogger },
    )
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').resume()
    try {
      socket.write(PREFACE)
      socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)))
      socket.write(frame(HEADERS, END_HEADERS, 1, putHeaders))
      socket.write(frame(DATA, 0, 1, Buffer.from('half')))
      await started
      socket.write(frame(RST_STREAM, 0, 1, Buffer.from([0, 0, 0, code])))
      expect(await outcome).toBeInstanceOf(Error)
      await left
    } finally {
      socket.destroy()
      server.close()
      await once(server, 'close')
    }
  })
})
