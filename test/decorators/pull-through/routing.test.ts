import { describe, expect, it } from 'vitest'
import { type Claim, Router } from '../../../src/decorators/pull-through/router.ts'
import type { Upstream } from '../../../src/decorators/pull-through/upstream.ts'
import { pullThrough } from '../../../src/decorators/pull-through.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { collect, pushImage, readBlob } from '../../support/images.ts'
import { expectRefusal } from '../support.ts'
import { newCache, UpstreamDouble, until } from './support.ts'

const backend = new Registry({ storage: memory() })

function told(route: Claim | 'nobody' | undefined): unknown {
  if (route === undefined || route === 'nobody') return route
  return [route.upstream.name, route.remoteName, route.localName]
}

describe('Router', () => {
  const hub: Upstream = { name: 'docker.io', backend, namespaces: ['docker.io'] }
  const quay: Upstream = { name: 'quay.io', backend, namespaces: ['quay.io', 'q'], prefix: 'quay/' }
  const team: Upstream = { name: 'team', backend, prefix: 'quay/team/', remotePrefix: 'quay/team/' }
  const router = new Router([hub, quay, team])

  it.each([
    ['docker.io/grafana/loki', ['docker.io', 'grafana/loki', 'docker.io/grafana/loki']],
    ['docker.io/library/alpine', ['docker.io', 'library/alpine', 'docker.io/library/alpine']],
    ['docker.io/alpine', ['docker.io', 'library/alpine', 'docker.io/library/alpine']],
    ['quay/app', ['quay.io', 'app', 'quay/app']],
    ['quay/team/app', ['team', 'quay/team/app', 'quay/team/app']],
    ['quay/team', ['quay.io', 'team', 'quay/team']],
    ['docker.io', undefined],
    ['alpine', undefined],
    ['quayside/app', undefined],
  ])('goes by prefix: %s', (name, expected) => {
    expect(told(router.route(name))).toEqual(expected)
  })

  it.each([
    ['grafana/loki', 'docker.io', ['docker.io', 'grafana/loki', 'docker.io/grafana/loki']],
    ['alpine', 'docker.io', ['docker.io', 'library/alpine', 'docker.io/library/alpine']],
    ['app', 'q', ['quay.io', 'app', 'quay/app']],
    // Kept as quay/team/app it would be taken for the other upstream's.
    ['team/app', 'quay.io', 'nobody'],
    ['app', 'ghcr.io', 'nobody'],
    ['app', '', 'nobody'],
  ])('goes by namespace: %s of %j', (name, namespace, expected) => {
    expect(told(router.route(name, { namespace }))).toEqual(expected)
  })

  it('ignores the namespace where no upstream has one', () => {
    const all = new Router([{ name: 'all', backend, prefix: '' }])
    expect(told(all.route('library/alpine', { namespace: 'docker.io' }))).toEqual([
      'all',
      'library/alpine',
      'library/alpine',
    ])
    expect(all.dependsOnContext).toBe(false)
  })

  it('takes the part of a registry that it is told to', () => {
    const part = new Router([{ name: 'part', backend, prefix: 'ours/', remotePrefix: 'a/b/', namespaces: ['r'] }])
    expect(told(part.route('ours/c'))).toEqual(['part', 'a/b/c', 'ours/c'])
    expect(told(part.route('a/b/c', { namespace: 'r' }))).toEqual(['part', 'a/b/c', 'ours/c'])
    expect(told(part.route('a/c', { namespace: 'r' }))).toBe('nobody')
  })

  it('asks the function first', () => {
    const byActor = new Router([hub, quay], (_, { actor }) => (actor === 'alice' ? quay : undefined))
    expect(told(byActor.route('app', { actor: 'alice' }))).toEqual(['quay.io', 'app', 'quay/app'])
    expect(told(byActor.route('quay/app', { actor: 'alice' }))).toEqual(['quay.io', 'app', 'quay/app'])
    expect(told(byActor.route('app', { actor: 'bob' }))).toBe(undefined)
    // Kept there, it would be the other upstream's.
    const nested = new Router([quay, team], () => quay)
    expect(told(nested.route('quay/team/app'))).toBe('nobody')
    expect(told(byActor.route('docker.io/a/b', { actor: 'bob' }))).toEqual(['docker.io', 'a/b', 'docker.io/a/b'])
  })

  it('keeps no single name where another upstream has its own', () => {
    const single = new Router([{ ...quay, singleNames: 'team' }, team])
    expect(told(single.route('quay/app'))).toBe('nobody')
    expect(told(single.route('quay/team/app'))).toEqual(['team', 'quay/team/app', 'quay/team/app'])
  })

  it('is told of a function that invents an upstream', () => {
    const inventive = new Router([hub], () => ({ ...hub }))
    expect(() => inventive.route('app')).toThrow(TypeError)
  })

  it.each([
    [[hub, { ...quay, name: 'docker.io' }], 'two upstreams have the same name: "docker.io"'],
    [[hub, { ...quay, prefix: 'docker.io/' }], 'two upstreams have the same prefix: "docker.io/"'],
    [[hub, { ...quay, namespaces: ['docker.io'] }], 'two upstreams have the same namespace: "docker.io"'],
    [[{ ...hub, prefix: 'docker.io' }], 'the prefix of the upstream docker.io must be a repository name and a slash'],
    [[{ ...hub, name: 'LOCAL:5000' }], 'the prefix of the upstream LOCAL:5000 must be a repository name and a slash'],
    [[{ ...hub, singleNames: 'Library' }], 'the singleNames of the upstream docker.io must be a repository name'],
    [[{ ...hub, backend: 'https://hub' }], 'the backend of the upstream docker.io must be a backend, not the string'],
    [[{ ...hub, namespaces: 'docker.io' }], 'the namespaces of the upstream docker.io must be a list of hosts'],
    [[{ ...hub, url: 'x' }], 'the upstream docker.io has no option "url"'],
    [[{}], 'an upstream needs a name'],
    ['docker.io', 'pullThrough() takes a list of upstreams'],
  ])('refuses upstreams that make no sense: %#', (upstreams, message) => {
    const make = () => pullThrough(upstreams as unknown as Upstream[])
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })

  it.each([
    [{ tagTtl: 1 }, 'did you mean "tagTtlMs"?'],
    [{ maxBytes: -1 }, '"maxBytes" must be a number, 0 or more'],
    [{ writes: 'both' }, '"writes" must be one of'],
    [{ cache: 'disk' }, '"cache" must be a registry'],
  ])('refuses options that make no sense: %j', (options, message) => {
    expect(() => pullThrough([], options as object)).toThrow(message)
  })
})

describe('pullThrough over two upstreams', () => {
  it('keeps what they have under one name apart', async () => {
    const [a, b] = [new UpstreamDouble(), new UpstreamDouble()]
    const ofA = await pushImage(a.registry.repository('app'), ['of a'], { tags: ['v1'] })
    const ofB = await pushImage(b.registry.repository('app'), ['of b'], { tags: ['v1'] })
    const local = new Registry({ storage: memory(), sparse: 'all', logger: silentLogger })
    const upstreams = [
      { name: 'a', backend: a.backend, namespaces: ['a.example'] },
      { name: 'b', backend: b.backend, namespaces: ['b.example'] },
    ]
    const cached = pullThrough(upstreams, { logger: silentLogger })(local)
    const { manifests } = cached.repository('app')
    expect((await manifests.get('v1', { namespace: 'a.example' })).descriptor.digest).toBe(ofA.digest)
    expect((await manifests.get('v1', { namespace: 'b.example' })).descriptor.digest).toBe(ofB.digest)
    expect((await cached.repository('b/app').manifests.get('v1')).descriptor.digest).toBe(ofB.digest)
    await expectRefusal(manifests.get('v1', { namespace: 'c.example' }), 'MANIFEST_UNKNOWN')
    await expectRefusal(manifests.get('v1'), 'MANIFEST_UNKNOWN')
    await expectRefusal(cached.repository('b/app').manifests.get(ofA.digest), 'MANIFEST_UNKNOWN')
    expect(await collect(local.repositories())).toEqual(['a/app', 'b/app'])
  })

  it('leaves what nobody claims as it is', async () => {
    const { backend: cached, local, upstream } = newCache()
    const pushed = await pushImage(cached.repository('team/app'), ['layer'], { tags: ['v1'] })
    expect((await local.repository('team/app').manifests.get('v1')).descriptor.digest).toBe(pushed.digest)
    expect(await readBlob(cached.repository('team/app'), pushed.config.digest)).toContain('layer')
    await cached.repository('team/app').delete()
    await expectRefusal(cached.repository('team/app').manifests.get('v1'), 'MANIFEST_UNKNOWN')
    expect(upstream.asked).toEqual([])
  })

  it('mounts what is kept of an upstream into a repository of ours, by the name it is pulled under', async () => {
    const { backend: cached, upstream, local } = newCache({ upstream: { singleNames: 'library' } })
    const image = await pushImage(upstream.registry.repository('library/app'), ['layer'], { tags: ['v1'] })
    await readBlob(cached.repository('hub/app'), image.config.digest)
    await until(async () => (await collect(local.repository('hub/library/app').blobs.list())).length === 1)
    const ours = cached.repository('team/app')
    await ours.blobs.mount(image.config.digest, 'hub/app')
    expect(await readBlob(ours, image.config.digest)).toContain('layer')
  })
})
