import { describe, expect, it } from 'vitest'
import * as express from '../src/adapters/express.ts'
import * as fastify from '../src/adapters/fastify.ts'
import * as fetch from '../src/adapters/fetch.ts'
import * as koa from '../src/adapters/koa.ts'
import * as node from '../src/adapters/node.ts'
import * as core from '../src/index.ts'

const { anyone, createHandler, filesystem, guard, immutableTags, memory, notify, policy, Registry } = core
const access = anyone()

/** What a caller without a compiler may write. */
// biome-ignore lint/suspicious/noExplicitAny: what is wrong with it is the point
type Anything = any

const registry = new Registry({ storage: memory() })
const handler = createHandler(registry, { access })

describe('options with a name that nobody knows', () => {
  it.each<[string, (options: Anything) => unknown, object, string]>([
    [
      'guard',
      guard,
      { beforemanifest: () => 'no' },
      'guard() has no option "beforemanifest": did you mean "beforeManifest"?',
    ],
    [
      'immutableTags',
      immutableTags,
      { matches: 'v*' },
      'immutableTags() has no option "matches": did you mean "match"?',
    ],
    ['policy', policy, { mediaType: 'a/*' }, 'policy() has no option "mediaType": did you mean "mediaTypes"?'],
    [
      'policy',
      policy,
      { urls: { allowed: [] } },
      'the "urls" of policy() has no option "allowed": did you mean "allow"?',
    ],
    [
      'notify',
      (options) => notify(() => {}, options),
      { log: console },
      'notify() has no option "log": did you mean "logger"?',
    ],
    ['memory', memory, { maxbytes: 1 }, 'memory() has no option "maxbytes": did you mean "maxBytes"?'],
    [
      'filesystem',
      (options) => filesystem('x', options),
      { durablity: 'none' },
      'filesystem() has no option "durablity": did you mean "durability"?',
    ],
    [
      'filesystem',
      (options) => filesystem('x', options),
      { sync: false },
      'filesystem() has no option "sync": there are durability, logger',
    ],
    [
      'Registry',
      (options) => new Registry({ storage: memory(), ...options }),
      { uses: [] },
      'new Registry() has no option "uses": did you mean "use"?',
    ],
    [
      'Registry',
      (options) => new Registry({ storage: memory(), ...options }),
      { gracePeriod: 1 },
      'new Registry() has no option "gracePeriod": did you mean "gracePeriodMs"?',
    ],
    [
      'Registry',
      (options) => new Registry({ backend: registry, ...options }),
      { sparse: 'all' },
      'new Registry() over a backend has no option "sparse": there are backend, use, logger',
    ],
    [
      'Registry',
      (options) => new Registry({ backend: registry, ...options }),
      { storage: memory() },
      'new Registry() over a backend has no option "storage": there are backend, use, logger',
    ],
    [
      'createHandler',
      (options) => createHandler(registry, options),
      { acces: access },
      'createHandler() has no option "acces": did you mean "access"?',
    ],
    [
      'createHandler',
      (options) => createHandler(registry, { access, ...options }),
      { maxManifestSize: 1 },
      'createHandler() has no option "maxManifestSize": did you mean "maxManifestBytes"?',
    ],
    [
      'createHandler',
      (options) => createHandler(registry, { access, ...options }),
      { cors: { origin: '*' } },
      '"cors" has no option "origin": did you mean "origins"?',
    ],
  ])('%s refuses them (%#)', (_, make, options, message) => {
    expect(() => make(options)).toThrow(new TypeError(message))
  })

  it.each<[string, (options: Anything) => unknown]>([
    ['registryListener', (options) => node.registryListener(registry, { access, ...options })],
    ['createRegistryServer', (options) => node.createRegistryServer(registry, { access, ...options })],
    ['toNodeListener', (options) => node.toNodeListener(handler, options)],
    ['registryMiddleware for Express', (options) => express.registryMiddleware(registry, { access, ...options })],
    ['toExpressMiddleware', (options) => express.toExpressMiddleware(handler, options)],
    ['registryMiddleware for Koa', (options) => koa.registryMiddleware(registry, { access, ...options })],
    ['toKoaMiddleware', (options) => koa.toKoaMiddleware(handler, options)],
    ['registryPlugin', (options) => fastify.registryPlugin(registry, { access, ...options })],
    ['toFastifyPlugin', (options) => fastify.toFastifyPlugin(handler, options)],
    ['registryMiddleware for Hono', (options) => fetch.registryMiddleware(registry, { access, ...options })],
    ['toHonoMiddleware', (options) => fetch.toHonoMiddleware(handler, options)],
    ['registryFetch', (options) => fetch.registryFetch(registry, { access, ...options })],
    ['toFetchHandler', (options) => fetch.toFetchHandler(handler, options)],
  ])('%s refuses them, and takes those that there are', (_, mount) => {
    expect(() => mount({ minUploadBytesPerSec: 1 })).toThrow(
      new TypeError('the mount has no option "minUploadBytesPerSec": did you mean "minUploadBytesPerSecond"?'),
    )
    expect(mount({ minUploadBytesPerSecond: 1, logger: core.silentLogger })).toBeTruthy()
  })

  it('are told apart from those of other mounts', () => {
    expect(fetch.registryFetch(registry, { access, mountPath: '/x', maxPageSize: 5 })).toBeTruthy()
    expect(() => express.registryMiddleware(registry, { access, mountPath: '/x' } as Anything)).toThrow(/"mountPath"/)
  })

  it('are not what an object inherits', () => {
    expect(() => memory({ constructor: 1 } as Anything)).toThrow('memory() has no option "constructor"')
  })
})

describe('options that are of the wrong kind', () => {
  it.each<[string, () => unknown, string]>([
    [
      'a pattern for the options of immutableTags',
      () => immutableTags('v*' as Anything),
      'immutableTags() takes an object of options (match), not the string "v*"',
    ],
    ['null', () => memory(null as Anything), 'memory() takes an object of options (maxBytes), not null'],
    [
      'a list',
      () => policy([] as Anything),
      'policy() takes an object of options (mediaTypes, artifactTypes, urls, platforms), not an array',
    ],
    [
      'a number for a pattern',
      () => core.select(5 as Anything),
      "expected a pattern such as 'v*', a list of them, or a function, not the number 5",
    ],
    [
      'a RegExp for a pattern',
      () => core.select(/v.*/ as Anything),
      "expected a pattern such as 'v*', a list of them, or a function, not an instance of RegExp",
    ],
    [
      'a platform for a list of them',
      () => policy({ platforms: 'linux/amd64' } as Anything),
      '"platforms" must be a list, [\'linux/amd64\'] say, not the string "linux/amd64"',
    ],
    [
      'no logger',
      () => core.logged(undefined as Anything),
      'logged() needs a logger, with info() and error(), not undefined',
    ],
    ['no sink', () => notify({} as Anything), 'notify() needs a function of an event, not a plain object'],
    [
      'no prefix',
      () => core.prefix(undefined as Anything),
      "prefix() needs a path, prefix('team/') say, not undefined",
    ],
    [
      'a durability that there is not',
      () => filesystem('x', { durability: 'ful' } as Anything),
      'the option "durability" must be one of \'full\', \'none\', not the string "ful"',
    ],
    [
      'a size in words',
      () => memory({ maxBytes: '10MB' } as Anything),
      'the option "maxBytes" must be a number, 0 or more, not the string "10MB"',
    ],
    [
      'a size that is no number',
      () => memory({ maxBytes: Number.NaN }),
      'the option "maxBytes" must be a number, 0 or more, not the number NaN',
    ],
    [
      'a sparseness that there is not',
      () => new Registry({ storage: memory(), sparse: true } as Anything),
      "the option \"sparse\" must be one of 'none', 'index', 'all', not the boolean true",
    ],
    [
      'a negative period',
      () => new Registry({ storage: memory(), gracePeriodMs: -1 }),
      'the option "gracePeriodMs" must be a number, 0 or more, not the number -1',
    ],
    [
      'a driver for a backend',
      () => new Registry({ backend: memory() } as Anything),
      'the option "backend" must be a registry or another backend, not an instance of MemoryDriver',
    ],
    [
      'a decorator that was not called',
      () => new Registry({ storage: memory(), use: [core.readOnly] } as Anything),
      'a decorator in "use" made a function of a backend: is it called, as in [readOnly()]?',
    ],
    [
      'an origin for a list of them',
      () => createHandler(registry, { access, cors: { origins: 'https://a.example' } } as Anything),
      'the option "cors.origins" must be \'*\' or a list of origins, not the string "https://a.example"',
    ],
    [
      'no origins',
      () => createHandler(registry, { access, cors: {} } as Anything),
      'the option "cors.origins" must be \'*\' or a list of origins, not undefined',
    ],
    [
      'a speed of downloads in words',
      () => node.toNodeListener(handler, { minDownloadBytesPerSecond: '1k' } as Anything),
      'the option "minDownloadBytesPerSecond" must be a number, 0 or more, not the string "1k"',
    ],
    [
      'a speed in words',
      () => node.toNodeListener(handler, { minUploadBytesPerSecond: '1k' } as Anything),
      'the option "minUploadBytesPerSecond" must be a number, 0 or more, not the string "1k"',
    ],
    [
      'a mount path without a slash',
      () => fetch.toFetchHandler(handler, { mountPath: 'x' }),
      'the option "mountPath" must begin with a slash and not end with one, not the string "x"',
    ],
    [
      'a mount path with a slash at the end',
      () => fetch.registryFetch(registry, { access, mountPath: '/x/' }),
      'the option "mountPath" must begin with a slash and not end with one, not the string "/x/"',
    ],
  ])('are refused in words: %s', (_, make, message) => {
    expect(make).toThrow(new TypeError(message))
  })
})

const STREAM_OR_BYTES = 'blobs.put() takes bytes (a Buffer or other Uint8Array) or a stream of them, not'
const BYTES = 'manifests.put() takes the bytes of a manifest (a Buffer or other Uint8Array), not'
const { ociIndex } = core.MEDIA_TYPES
const INDEX = { schemaVersion: 2, mediaType: ociIndex, manifests: [] }
const CONTENT = Buffer.from(JSON.stringify(INDEX))

describe('blobs.put', () => {
  it.each<[string, unknown, string]>([
    ['a text', 'some text', 'the string "some text": Buffer.from(text)'],
    ['a long text', 'x'.repeat(50), `the string "${'x'.repeat(40)}…": Buffer.from(text)`],
    ['a number', 5, 'the number 5'],
    ['null', null, 'null'],
    ['nothing', undefined, 'undefined'],
    ['an object', { a: 1 }, 'a plain object: Buffer.from(JSON.stringify(object))'],
    ['an array', [1, 2], 'an array'],
    ['a promise', Promise.resolve(CONTENT), 'an instance of Promise'],
    ['a function', () => CONTENT, 'a function'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'an instance of ArrayBuffer: new Uint8Array(arrayBuffer)'],
    [
      'another view',
      new Uint16Array(1),
      'an instance of Uint16Array: new Uint8Array(view.buffer, view.byteOffset, view.byteLength)',
    ],
    ['a Blob', new Blob(['x']), 'an instance of Blob: blob.stream()'],
  ])('says what is wrong with %s', async (_, content, message) => {
    await expect(registry.repository('app').blobs.put(content as Anything)).rejects.toThrow(
      new TypeError(`${STREAM_OR_BYTES} ${message}`),
    )
  })

  it('takes what it says it takes', async () => {
    const { blobs } = registry.repository('app')
    const { digest } = await blobs.put(Buffer.from('x'))
    expect((await blobs.put(new Uint8Array(Buffer.from('x')))).digest).toBe(digest)
    expect((await blobs.put(new Blob(['x']).stream() as Anything)).digest).toBe(digest)
  })
})

describe('manifests.put', () => {
  it.each<[string, unknown, unknown, string]>([
    ['an object', INDEX, { mediaType: ociIndex }, `${BYTES} a plain object: Buffer.from(JSON.stringify(object))`],
    ['a text', '{}', { mediaType: ociIndex }, `${BYTES} the string "{}": Buffer.from(text)`],
    ['null', null, { mediaType: ociIndex }, `${BYTES} null`],
    [
      'no options',
      CONTENT,
      undefined,
      "manifests.put() needs the manifest's media type, { mediaType: MEDIA_TYPES.ociManifest } say, not undefined",
    ],
    [
      'no media type',
      CONTENT,
      { tags: ['v1'] },
      "manifests.put() needs the manifest's media type, { mediaType: MEDIA_TYPES.ociManifest } say, not undefined",
    ],
    [
      'a tag for a list of them',
      CONTENT,
      { mediaType: ociIndex, tags: 'v1' },
      'manifests.put() takes a list of tags, { tags: [\'v1\'] } say, not the string "v1"',
    ],
    [
      'tags that are none',
      CONTENT,
      { mediaType: ociIndex, tags: [1] },
      "manifests.put() takes a list of tags, { tags: ['v1'] } say, not a list of other things",
    ],
  ])(
    'says what is wrong with %s, also behind decorators that look at manifests',
    async (_, content, options, message) => {
      const use = [[], [guard({ beforeManifest: () => 'no' })], [policy({})], [immutableTags()]]
      for (const decorators of use) {
        const { manifests } = new Registry({ backend: registry, use: decorators }).repository('app')
        await expect(manifests.put(content as Anything, options as Anything)).rejects.toThrow(new TypeError(message))
      }
    },
  )
})
