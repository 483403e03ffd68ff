import { afterEach } from 'vitest'
import { type RunningRegistry, type StartRegistryOptions, startRegistry } from '../../src/testing/index.ts'
import { type ClientRequest, type ClientResponse, HttpClient } from './http-client.ts'

export interface Started extends RunningRegistry {
  send(method: string, target: string, request?: ClientRequest): Promise<ClientResponse>
}

/** Starts registries that are stopped after the test; to be called while tests are collected. */
export function testRegistries(): (options?: StartRegistryOptions) => Promise<Started> {
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })
  return async (options) => {
    const registry = await startRegistry(options)
    const client = new HttpClient(registry.url)
    stops.push(async () => {
      client[Symbol.dispose]()
      await registry.stop()
    })
    return { ...registry, send: (method, target, request) => client.send(method, target, request) }
  }
}

export const basic = (user: string, password: string): { readonly authorization: string } => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

export const bearer = (token: string): { readonly authorization: string } => ({ authorization: `Bearer ${token}` })

/** Of an error document. */
export function codeOf({ body }: ClientResponse): string | undefined {
  return JSON.parse(body.toString()).errors[0].code
}
