import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { anyone } from '../../../src/auth/access.ts'
import { createHandler } from '../../../src/http/handler.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { type StorageDriver, StorageUnavailableError } from '../../../src/storage/driver.ts'
import { requestOf } from '../../http/support.ts'
import { describeOn } from '../../support/servers/index.ts'
import { STORES } from './stores.ts'

const SLOW = { timeout: 60_000 }

/** Every question that absence could be the answer to, and some others. */
const QUESTIONS: Record<string, (driver: StorageDriver) => Promise<unknown>> = {
  get: (driver) => driver.get('a/b'),
  read: (driver) => driver.read('a/b'),
  'read of a range': (driver) => driver.read('a/b', { range: { start: 1, end: 2 } }),
  stat: (driver) => driver.stat('a/b'),
  list: async (driver) => {
    for await (const _ of driver.list('a')) return
  },
  put: (driver) => driver.put('a/b', Buffer.from('x')),
  delete: (driver) => driver.delete('a/b'),
  resumeUpload: (driver) => driver.resumeUpload('a/_uploads/1/data'),
  ping: async (driver) => driver.ping?.(),
}

async function expectOutage(driver: StorageDriver): Promise<void> {
  for (const [name, ask] of Object.entries(QUESTIONS)) {
    const answer = await ask(driver).then(
      () => 'an answer',
      (error: unknown) => error,
    )
    expect(answer, `${name}: ${answer}`).toBeInstanceOf(StorageUnavailableError)
  }
  await driver.close?.()
}

/** Something else in the place of the store. */
async function withImpostor(answer: RequestListener, test: (endpoint: string) => Promise<void>): Promise<void> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

for (const { server, open } of STORES) {
  describeOn(server, 'an outage', (running) => {
    it('is what a store is that refuses us', SLOW, async () => {
      await withImpostor(
        (_, response) => response.writeHead(403).end('no'),
        async (endpoint) => expectOutage(open(running(), 'images', endpoint)),
      )
    })

    it('is what a store is that is busy, and when to come back reaches the client', SLOW, async () => {
      await withImpostor(
        (_, response) => response.writeHead(503, { 'retry-after': '0' }).end('slow down'),
        async (endpoint) => {
          await expectOutage(open(running(), 'images', endpoint))
          const registry = new Registry({ storage: open(running(), 'images', endpoint), logger: silentLogger })
          const handler = createHandler(registry, { access: anyone(), logger: silentLogger })
          const url = `/v2/team/app/blobs/${digestOf(Buffer.from('x'))}`
          for (const method of ['HEAD', 'GET']) {
            const response = await handler(requestOf(method, url))
            expect([response?.status, response?.headers['retry-after']]).toEqual([503, '0'])
          }
          await expect(registry.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
          await registry.close()
        },
      )
    })

    it('ends with the signal, when the store hangs', SLOW, async () => {
      await withImpostor(
        () => {},
        async (endpoint) => {
          const driver = open(running(), 'images', endpoint)
          const reason = new Error('no longer wanted')
          const leaving = new AbortController()
          const asked = Promise.allSettled([
            driver.get('a', { signal: leaving.signal }),
            driver.stat('a', { signal: leaving.signal }),
            driver.put('a', Buffer.from('x'), { signal: leaving.signal }),
          ])
          leaving.abort(reason)
          for (const one of await asked) expect(one).toEqual({ status: 'rejected', reason })
          await driver.close?.()
        },
      )
    })
  })
}
