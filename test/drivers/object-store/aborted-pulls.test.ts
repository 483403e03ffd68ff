import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { createRegistryServer } from '../../../src/adapters/node.ts'
import { anyone } from '../../../src/auth/access.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { seededBytes } from '../../../src/testing/seeded.ts'
import { describeOn } from '../../support/servers/index.ts'
import { STORES } from './stores.ts'

const ABORTED = 500
const WHOLE = 50
const AT_ONCE = 25

for (const { server, open } of STORES) {
  describeOn(server, 'pulls', (running) => {
    it('that are aborted leave nothing behind that would stop the next', { timeout: 120_000 }, async () => {
      const storage = open(running(), await running().createBucket())
      const registry = new Registry({ storage, logger: silentLogger })
      const content = seededBytes(1_500_000, 3)
      const { digest } = await registry.repository('team/app').blobs.put(content)
      const http = createRegistryServer(registry, { access: anyone(), redirect: false, logger: silentLogger })
      http.listen(0, '127.0.0.1')
      await once(http, 'listening')
      const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v2/team/app/blobs/${digest}`
      const ask = async () => {
        const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage]
        return response
      }
      const abort = async () => {
        const response = await ask()
        expect(response.statusCode).toBe(200)
        await once(response, 'readable')
        response.on('error', () => {}).destroy()
      }
      const pull = async () => {
        let size = 0
        for await (const chunk of (await ask()) as AsyncIterable<Buffer>) size += chunk.length
        expect(size).toBe(content.length)
      }
      for (const [count, one] of [
        [ABORTED, abort],
        [WHOLE, pull],
      ] as const) {
        for (let done = 0; done < count; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, one))
      }
      http.close()
      http.closeAllConnections()
      await registry.close()
    })
  })
}
