// P02: what is connected to is the address that was looked at. With real sockets; only the resolver is ours.

import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publicLookup, type ResolveName } from '../../../src/remote/transport/public-lookup.ts'

const LOOPBACK = { address: '127.0.0.1', family: 4 }

/** A resolver that has another answer each time, and notes what it was asked. */
function resolver(...answers: readonly (readonly LookupAddress[] | Error)[]) {
  const asked: string[] = []
  const resolve: ResolveName = (hostname, _options, callback) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? []
    asked.push(hostname)
    setImmediate(() => (answer instanceof Error ? callback(answer, []) : callback(null, [...answer])))
  }
  return { asked, resolve }
}

let port = 0
let requests = 0
const server = createServer((_, response) => {
  requests++
  response.end('secret')
})

beforeEach(async () => {
  requests = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function failureOf(resolve: ResolveName, autoSelectFamily = true): Promise<unknown> {
  const agent = new Agent({ lookup: publicLookup(resolve), autoSelectFamily })
  const outgoing = request({ host: 'evil.example', port, agent })
  outgoing.end()
  const [error] = await Promise.race([once(outgoing, 'error'), once(outgoing, 'response')])
  agent.destroy()
  return error
}

/** What a socket is about to connect to; it does not. */
async function lookedUp(resolve: ResolveName): Promise<unknown> {
  const socket = connect({ host: 'evil.example', port, lookup: publicLookup(resolve) })
  socket.once('lookup', () => socket.destroy())
  const [error, address] = await once(socket, 'lookup')
  expect(error).toBe(null)
  return address
}

describe('P02, CVE-2026-2376: publicLookup, in a socket', () => {
  it('would reach the server otherwise', async () => {
    const lookup = resolver([LOOPBACK])
    const outgoing = request({
      host: 'evil.example',
      port,
      agent: false,
      lookup: (_host, { all }, callback) =>
        lookup.resolve('x', { all: true }, (error, found) =>
          all ? callback(error, found) : callback(error, found[0]?.address ?? '', 4),
        ),
    })
    outgoing.end()
    const [response] = await once(outgoing, 'response')
    response.resume()
    expect(requests).toBe(1)
  })

  it.each([
    ['loopback', [LOOPBACK]],
    ['loopback beside a public address', [{ address: '8.8.8.8', family: 4 }, LOOPBACK]],
    ['unspecified', [{ address: '0.0.0.0', family: 4 }]],
    ['IPv4-mapped', [{ address: '::ffff:7f00:1', family: 6 }]],
    ['IPv6 unspecified', [{ address: '::', family: 6 }]],
    ['link-local', [{ address: '169.254.169.254', family: 4 }]],
  ])('connects to nothing where a name is %s', async (_what, addresses) => {
    for (const autoSelectFamily of [true, false]) {
      const { resolve } = resolver(addresses)
      expect(await failureOf(resolve, autoSelectFamily)).toMatchObject({
        code: 'ERR_FORBIDDEN_ADDRESS',
        message: expect.stringMatching(/^evil\.example has the address .*, which is not a public one$/),
      })
    }
    expect(requests).toBe(0)
  })

  it('asks once, and connects to what it was told', async () => {
    // The second answer is what an attacker's name server gives to whoever asks again after looking.
    const { asked, resolve } = resolver([{ address: '8.8.8.8', family: 4 }], [LOOPBACK])
    expect(await lookedUp(resolve)).toBe('8.8.8.8')
    expect(asked).toEqual(['evil.example'])
    expect(requests).toBe(0)
  })

  it('looks again at each connection', async () => {
    const { asked, resolve } = resolver([{ address: '8.8.8.8', family: 4 }], [LOOPBACK])
    expect(await lookedUp(resolve)).toBe('8.8.8.8')
    expect(await failureOf(resolve)).toMatchObject({ code: 'ERR_FORBIDDEN_ADDRESS' })
    expect(asked).toHaveLength(2)
    expect(requests).toBe(0)
  })

  it('tells of a name that does not resolve, and of one without addresses', async () => {
    const gone = Object.assign(new Error('gone'), { code: 'ENOTFOUND' })
    expect(await failureOf(resolver(gone).resolve)).toBe(gone)
    expect(await failureOf(resolver([]).resolve)).toMatchObject({ message: 'evil.example has no address' })
  })
})
