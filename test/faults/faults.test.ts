import { describe, expect, it } from 'vitest'
import { anyone } from '../../src/auth/access.ts'
import { memory } from '../../src/drivers/memory.ts'
import { ObjectStoreDriver } from '../../src/drivers/object-store/object-store-driver.ts'
import { createHandler } from '../../src/http/handler.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import type { StorageDriver } from '../../src/storage/driver.ts'
import { read, requestOf } from '../http/support.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { FAULTS, type Fault, Saboteur } from './faults.ts'
import { type Ask, type Attempt, type Flow, flows } from './flows.ts'

/** A store, the driver over it, and the same driver when somebody spoils a call. */
interface Place {
  readonly driver: StorageDriver
  sabotaged(saboteur: Saboteur): StorageDriver
  /** Streams that were opened and neither read to the end nor destroyed. */
  leaks(): number
}

const PLACES: Record<string, { readonly largeBytes: number; make(): Place }> = {
  'a driver': {
    largeBytes: 300_000,
    make: () => {
      const driver = memory()
      return { driver, sabotaged: (saboteur) => saboteur.wrap(driver), leaks: () => 0 }
    },
  },
  'an object store': {
    largeBytes: 400_000,
    make: () => {
      const store = new MemoryObjectStore()
      return {
        driver: new ObjectStoreDriver(store),
        sabotaged: (saboteur) => new ObjectStoreDriver(saboteur.wrap(store)),
        leaks: () => store.open_.size + store.assemblies.size,
      }
    },
  },
}

function registryOver(driver: StorageDriver): Registry {
  return new Registry({ storage: driver, logger: silentLogger })
}

function clientOf(registry: Registry, signal: () => AbortSignal): Ask {
  const handler = createHandler(registry, { access: anyone(), redirect: false, logger: silentLogger })
  return async (method, url, options = {}) => {
    const response = await handler(requestOf(method, url, { ...options, signal: signal() }))
    if (response === undefined) throw new Error(`not for a registry: ${method} ${url}`)
    return read(response)
  }
}

describe.each(Object.entries(PLACES))('when a call to %s goes wrong', (_, { largeBytes, make }) => {
  for (const flow of flows(largeBytes)) {
    it.each(FAULTS)(`${flow.name} tells no lies, and succeeds the next time: %s`, async (fault) => {
      let struck = 0
      for (let at = 1; await strike(make(), flow, fault, at); at++) struck++
      expect(struck).toBeGreaterThan(0)
    })
  }
})

/** Runs a flow, its call number `at` spoilt. @returns whether there was such a call */
async function strike(place: Place, flow: Flow, fault: Fault, at: number): Promise<boolean> {
  const healthy = registryOver(place.driver)
  const ask = clientOf(healthy, () => new AbortController().signal)
  await flow.prepare?.(ask)

  const leaving = new AbortController()
  const saboteur = new Saboteur(at, fault, () => setImmediate(() => leaving.abort(new Error('the client left'))))
  const sick = registryOver(place.sabotaged(saboteur))
  // A broken connection is an answer, too: one that promises nothing.
  const attempt = await flow.run(clientOf(sick, () => leaving.signal)).catch((error: unknown): Attempt => {
    if (error instanceof Error && error.name === 'AssertionError') throw error
    return { answers: [] }
  })
  await sick.close()
  const where = `${flow.name}, call ${at}: ${saboteur.struck}`
  for (const { status, headers } of attempt.answers) {
    // 499: the client has left, and nobody reads it.
    const isHonest = status < 400 || status >= 500 || status === 416 || (fault === 'hang' && status === 499)
    expect(isHonest, `${where}: ${status}`).toBe(true)
    if (status === 503) expect(headers['retry-after'], where).toBe(fault === 'throttled' ? '7' : '5')
  }
  const last = attempt.answers.at(-1)
  const isDone = last !== undefined && last.status < 300 && last.status !== 202
  if (isDone) await flow.verify(ask)
  const beganAnew = isDone ? false : await flow.again(ask, attempt)
  await flow.verify(ask)
  await healthy.close()

  if (saboteur.struck === undefined) expect(isDone || last?.status === 202, `${where}: ${last?.status}`).toBe(true)
  const keys: string[] = []
  for await (const { key } of place.driver.list('')) keys.push(key)
  const wasCleaning = /^(discard|delete|abandon)/.test(saboteur.struck ?? '')
  if (!beganAnew && !wasCleaning && attempt.location !== undefined) {
    const id = attempt.location.split('/').at(-1) ?? ''
    expect(
      keys.filter((key) => id !== '' && key.includes(id)),
      where,
    ).toEqual([])
  }
  expect(keys.filter((key) => key.includes('/intents/')).length, where).toBeLessThanOrEqual(1)
  // A stream that is destroyed closes a moment later. Nobody can end what was begun under a name that never arrived.
  await new Promise((resolve) => setImmediate(resolve))
  if (!wasCleaning && saboteur.struck !== 'begin (lost)') expect(place.leaks(), where).toBe(0)
  return saboteur.struck !== undefined
}
