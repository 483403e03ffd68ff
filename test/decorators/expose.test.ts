import { describe, expect, it } from 'vitest'
import { expose } from '../../src/decorators/expose.ts'
import { expectRefusal } from './support.ts'

class Store {
  readonly name = 'store'
  readonly limit: number | undefined = 7
  readonly inner = { secret: 1 }
  readonly #secret = 'kept'

  read(): Promise<string> {
    return Promise.resolve(this.#secret)
  }

  async write(): Promise<void> {
    throw new Error('must not be called')
  }

  async *list(): AsyncGenerator<string> {
    yield this.#secret
    throw new Error('must not be called')
  }
}

describe('expose', () => {
  it('lets allowed methods through, on the object they belong to', async () => {
    expect(await expose(new Store(), ['read']).read()).toBe('kept')
  })

  it('refuses any other method, when awaited', async () => {
    await expectRefusal(expose(new Store(), ['read']).write(), 'UNSUPPORTED', 405)
  })

  it('refuses any other method, when iterated over', async () => {
    await expectRefusal(expose(new Store(), ['read']).list(), 'UNSUPPORTED', 405)
  })

  it('refuses without an unhandled rejection when nobody looks at the result', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    void expose(new Store(), []).write()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  it('shows names and numbers', () => {
    const view = expose(new Store(), [])
    expect([view.name, view.limit]).toEqual(['store', 7])
  })

  it('refuses to show other objects unless they are allowed', () => {
    expect(() => expose(new Store(), []).inner).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
    expect(expose(new Store(), ['inner']).inner).toEqual({ secret: 1 })
  })

  it('puts what it is given in place of what is there', async () => {
    const view = expose(new Store(), ['read'], { read: () => Promise.resolve('mine'), write: () => Promise.resolve() })
    expect(await view.read()).toBe('mine')
    expect(await view.write()).toBeUndefined()
  })

  it('can be handed out of an async function', async () => {
    const view = expose(new Store(), ['read'])
    expect(await (async () => view)()).toBe(view)
  })
})
