import { afterAll, beforeAll, describe, it } from 'vitest'

/**
 * Runs a suite against a server, started before its tests and ended after them. Without the server, the suite is one
 * test that is skipped, or that fails under `WHARFAGE_REQUIRE_SERVERS=1`.
 *
 * @param suite - is called while tests are collected, with a function to call within tests and hooks
 */
export function describeOn<R extends { stop(): Promise<void> }>(
  server: { readonly name: string; find(): string | undefined; start(): Promise<R> },
  name: string,
  suite: (running: () => R) => void,
): void {
  const title = `${name} on ${server.name}`
  if (server.find() === undefined) {
    withoutServer(title)
    return
  }
  describe(title, () => {
    let running: R | undefined
    beforeAll(async () => {
      running = await server.start()
    }, 90_000)
    afterAll(() => running?.stop())
    suite(() => {
      if (running === undefined) throw new Error(`${server.name} runs within tests and hooks only`)
      return running
    })
  })
}

function withoutServer(title: string): void {
  const missing = 'not installed: npm run servers'
  if (process.env.WHARFAGE_REQUIRE_SERVERS === '1') {
    it(title, () => {
      throw new Error(`${missing}, and WHARFAGE_REQUIRE_SERVERS=1 wants it`)
    })
  } else {
    it.skip(`${title}: skipped, ${missing}`)
  }
}
