import { describe, expect, it } from 'vitest'
import type { Backend, Decorator } from '../../src/backend.ts'
import { guard } from '../../src/decorators/guard.ts'
import { immutableTags } from '../../src/decorators/immutable-tags.ts'
import { policy } from '../../src/decorators/policy.ts'
import { prefix } from '../../src/decorators/prefix.ts'
import { pullThrough } from '../../src/decorators/pull-through.ts'
import { quota } from '../../src/decorators/quota.ts'
import { readOnly } from '../../src/decorators/read-only.ts'
import { select } from '../../src/decorators/select.ts'
import { memory } from '../../src/drivers/memory.ts'
import { Registry } from '../../src/registry.ts'
import { expectRefusal } from './support.ts'

type StoreName = 'blobs' | 'manifests' | 'tags'

/** A backend of a later day, whose stores can do one thing more. */
function withLaterMethods(called: string[]): Backend {
  const inner = new Registry({ storage: memory() })
  const later = <T extends object>(store: T, name: StoreName): T =>
    new Proxy(store, {
      get(target, key) {
        if (key === 'later') return () => Promise.resolve(called.push(name))
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  return {
    repository: (name) => {
      const repository = inner.repository(name)
      return {
        name,
        delete: (context) => repository.delete(context),
        blobs: later(repository.blobs, 'blobs'),
        manifests: later(repository.manifests, 'manifests'),
        tags: later(repository.tags, 'tags'),
      }
    },
    repositories: (options) => inner.repositories(options),
  }
}

const ALL = ['blobs', 'manifests', 'tags'] as const

/** Which stores a decorator restricts: there, what it has not heard of is refused. */
const RESTRICTED: readonly (readonly [name: string, decorator: Decorator, stores: readonly StoreName[]])[] = [
  ['readOnly', readOnly(), ['blobs', 'manifests', 'tags']],
  ['immutableTags', immutableTags(), ['manifests', 'tags']],
  ['select', select('app'), ['blobs', 'manifests', 'tags']],
  ['select of another repository', select('other'), ['blobs', 'manifests', 'tags']],
  ['prefix', prefix('team/'), ['blobs', 'manifests', 'tags']],
  ['policy', policy({}), ['manifests']],
  ['pullThrough', pullThrough([{ name: 'hub', backend: new Registry({ storage: memory() }), prefix: '' }]), ALL],
  ['pullThrough of another repository', pullThrough([]), ALL],
  ['quota', quota({ limits: [] }), ['blobs', 'manifests']],
  ['guard', guard({ beforeManifest: () => undefined }), ['manifests', 'tags']],
]

describe('restricting decorators', () => {
  it.each(RESTRICTED)('%s refuses a method that was added to the contract later', async (_, decorator, stores) => {
    const called: string[] = []
    const repository = decorator(withLaterMethods(called)).repository('app')
    for (const store of stores) {
      const { later } = repository[store] as unknown as { later(): Promise<void> }
      await expectRefusal(later(), 'UNSUPPORTED', 405)
    }
    expect(called).toEqual([])
  })

  it('are tested with a method that is there', async () => {
    const called: string[] = []
    const { blobs } = withLaterMethods(called).repository('app')
    await (blobs as unknown as { later(): Promise<void> }).later()
    expect(called).toEqual(['blobs'])
  })
})
