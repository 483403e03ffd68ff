import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { digestOf } from '../src/spec/digest.ts'
import { MEDIA_TYPES } from '../src/spec/media-types.ts'
import { bytes, descriptorOf, json } from './support/images.ts'
import { azurite, describeOn, fakeGCSServer, versitygw } from './support/servers/index.ts'

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url))

interface Example {
  readonly origin: string
  /** What it has printed so far, but for where it listens. */
  readonly lines: readonly string[]
  /** The next line it prints. */
  line(): Promise<string>
  /** Asks it to end. @returns its exit code */
  stop(): Promise<number | null>
}

const running: { readonly child: ChildProcess; readonly directory: string }[] = []

afterEach(async () => {
  for (const { child, directory } of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    await rm(directory, { recursive: true, force: true })
  }
})

/** Starts an example as its reader would, on the built package, in an empty directory. */
async function start(name: string, environment: NodeJS.ProcessEnv = {}): Promise<Example> {
  const directory = await mkdtemp(join(tmpdir(), 'wharfage-example-'))
  const child = spawn(process.execPath, [join(EXAMPLES, `${name}.js`)], {
    cwd: directory,
    // The AWS SDK warns of Node 20, which it is going to leave.
    env: { ...process.env, NODE_NO_WARNINGS: '1', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push({ child, directory })
  let complaints = ''
  child.stderr.on('data', (chunk) => {
    complaints += chunk
  })
  const printed = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const { value, done } = await printed.next()
    if (done) throw new Error(`${name} ended (is the package built?): ${complaints}`)
    return String(value)
  }
  const lines: string[] = []
  for (;;) {
    const next = await line()
    if (next.startsWith('listening on ')) {
      return {
        origin: next.slice('listening on '.length),
        lines,
        line,
        stop: async () => {
          const ended = once(child, 'exit')
          child.kill('SIGTERM')
          const [code] = await ended
          expect(complaints).toBe('')
          return code
        },
      }
    }
    lines.push(next)
  }
}

type Headers = Readonly<Record<string, string>>

/** Pushes an image of one layer over HTTP, as clients do. @returns the answer to its manifest */
async function push(origin: string, name: string, tag: string, headers: Headers = {}, config = json({})) {
  const layer = bytes(`layer of ${name}`)
  for (const content of [config, layer]) {
    const begun = await fetch(`${origin}/v2/${name}/blobs/uploads/`, { method: 'POST', headers })
    expect(begun.status).toBe(202)
    const target = new URL(`${begun.headers.get('location')}?digest=${digestOf(content)}`, origin)
    const done = await fetch(target, { method: 'PUT', headers, body: new Uint8Array(content) })
    expect(done.status).toBe(201)
  }
  const content = json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: descriptorOf(config, MEDIA_TYPES.ociConfig),
    layers: [descriptorOf(layer)],
  })
  const response = await fetch(`${origin}/v2/${name}/manifests/${tag}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': MEDIA_TYPES.ociManifest },
    body: new Uint8Array(content),
  })
  return { response, digest: digestOf(content), layer }
}

const pull = (origin: string, name: string, tag: string, headers: Headers = {}) =>
  fetch(`${origin}/v2/${name}/manifests/${tag}`, { headers: { accept: MEDIA_TYPES.ociManifest, ...headers } })

const basic = (user: string, password: string): Headers => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

describe('examples', () => {
  it('are each started below', async () => {
    const names = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.js')).sort()
    expect(names).toEqual(
      [
        ...MOUNTS,
        ...STORES,
        'driver',
        'node-http',
        'tenants',
        'guard',
        'events',
        'programmatic',
        'image',
        'air-gap',
        'pull-through',
        ...ACCESS,
      ]
        .map((name) => `${name}.js`)
        .sort(),
    )
  })
})

const MOUNTS = ['express', 'koa', 'fastify', 'hono']
const ACCESS = ['sessions', 'identity-provider', 'mutual-tls', 'ci-tokens']
const STORES = ['s3', 'azure', 'gcs', 'two-nodes']

describe.each([...MOUNTS, 'node-http', 'driver'])('examples/%s.js', (name) => {
  it('takes an image, gives it back, leaves the rest to the service, and stops when asked', async () => {
    const { origin, stop } = await start(name)
    const { response, digest, layer } = await push(origin, 'team/app', 'latest')
    expect(response.status).toBe(201)
    expect((await pull(origin, 'team/app', 'latest')).headers.get('docker-content-digest')).toBe(digest)
    const blob = await fetch(`${origin}/v2/team/app/blobs/${digestOf(layer)}`)
    expect(await blob.text()).toBe('layer of team/app')
    const root = await fetch(origin)
    expect([root.status, await root.json()]).toEqual(
      MOUNTS.includes(name) ? [200, { service: 'mine' }] : [404, expect.anything()],
    )
    expect(await stop()).toBe(0)
  })
})

/** An image goes in and comes out, by redirect or not. */
async function pushAndPull({ origin, stop }: Example): Promise<void> {
  const { response, digest, layer } = await push(origin, 'team/app', 'latest')
  expect(response.status).toBe(201)
  expect((await pull(origin, 'team/app', 'latest')).headers.get('docker-content-digest')).toBe(digest)
  const blob = await fetch(`${origin}/v2/team/app/blobs/${digestOf(layer)}`)
  expect(await blob.text()).toBe('layer of team/app')
  expect(await stop()).toBe(0)
}

describeOn(versitygw, 'examples', (server) => {
  it('s3.js keeps images in a bucket', async () => {
    const { endpoint, environment } = server()
    const BUCKET = await server().createBucket()
    await pushAndPull(await start('s3', { ...environment, BUCKET, S3_ENDPOINT: endpoint }))
  })

  it('two-nodes.js finishes at one node what was begun at the other', async () => {
    const { endpoint, environment } = server()
    const BUCKET = await server().createBucket()
    const example = await start('two-nodes', { ...environment, BUCKET, S3_ENDPOINT: endpoint })
    expect(example.lines).toEqual(['node two has 0-9', 'node one answers 201'])
    await pushAndPull(example)
  })
})

describeOn(azurite, 'examples', (server) => {
  it('azure.js keeps images in a container', async () => {
    const { endpoint, environment } = server()
    const CONTAINER = await server().createBucket()
    await pushAndPull(await start('azure', { ...environment, CONTAINER, AZURE_ENDPOINT: endpoint }))
  })
})

describeOn(fakeGCSServer, 'examples', (server) => {
  it('gcs.js keeps images in a bucket', async () => {
    const { endpoint } = server()
    const BUCKET = await server().createBucket()
    await pushAndPull(await start('gcs', { BUCKET, GCS_ENDPOINT: endpoint }))
  })
})

describe('examples/tenants.js', () => {
  it('asks for users, lets them do what they may, and keeps tenants apart', async () => {
    const { origin, stop } = await start('tenants')
    const unknown = await fetch(`${origin}/v2/`)
    expect([unknown.status, unknown.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="wharfage"'])
    expect((await fetch(`${origin}/v2/`, { headers: basic('ada', 'wrong') })).status).toBe(401)

    const { response } = await push(origin, 'app', 'v1', basic('ada', 'lovelace'))
    expect(response.status).toBe(201)
    expect((await pull(origin, 'app', 'v1', basic('charles', 'babbage'))).status).toBe(200)
    expect((await pull(origin, 'app', 'v1', basic('grace', 'hopper'))).status).toBe(404)
    const method = 'POST'
    const refused = await fetch(`${origin}/v2/app/blobs/uploads/`, { method, headers: basic('charles', 'babbage') })
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'DENIED', message: 'charles may only pull' }] })
    expect(await stop()).toBe(0)
  })
})

describe('examples/guard.js', () => {
  it('refuses an image with its reason, and takes what it does not mind', async () => {
    const { origin, stop } = await start('guard')
    const { response } = await push(origin, 'team/app', 'production')
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({
      errors: [{ code: 'DENIED', message: 'team/app: production images must not run as root' }],
    })
    const careful = json({ config: { User: '1000' } })
    expect((await push(origin, 'team/app', 'production', {}, careful)).response.status).toBe(201)
    expect((await push(origin, 'team/app', 'test')).response.status).toBe(201)
    expect(await stop()).toBe(0)
  })
})

describe('examples/events.js', () => {
  it('tells of a push and of a pull', async () => {
    const { origin, line, stop } = await start('events')
    const { digest } = await push(origin, 'team/app', 'v1')
    expect(await line()).toBe(`pushed team/app:v1 ${digest}`)
    await pull(origin, 'team/app', 'v1', { 'user-agent': 'a-test/1' })
    expect(await line()).toBe(`pulled team/app@${digest} by a-test/1`)
    expect(await stop()).toBe(0)
  })
})

describe('examples/programmatic.js', () => {
  it('pushes and reads an image, and serves it', async () => {
    const { origin, lines, stop } = await start('programmatic')
    const digest = (await pull(origin, 'greetings/hello', 'latest')).headers.get('docker-content-digest')
    expect(lines).toEqual([`pushed ${digest}`, `tag latest is ${digest}`, 'layer says hello from code'])
    expect(await stop()).toBe(0)
  })
})

describe('examples/air-gap.js', () => {
  it('carries an image and its SBOM from one registry into another', async () => {
    const { origin, lines, stop } = await start('air-gap')
    const response = await pull(origin, 'team/app', 'v1')
    const digest = response.headers.get('docker-content-digest')
    expect(lines).toEqual([`team/app:v1 is ${digest}`])
    const referrers = await fetch(`${origin}/v2/team/app/referrers/${digest}`)
    expect(await referrers.json()).toMatchObject({ manifests: [{ artifactType: 'application/spdx+json' }] })
    expect(await stop()).toBe(0)
  })
})

describe('examples/pull-through.js', () => {
  it('gets an image once, and has it when the other registry is gone', async () => {
    const upstream = await start('programmatic')
    const { origin, line, stop } = await start('pull-through', { UPSTREAM: upstream.origin })
    const first = await pull(origin, 'hub/greetings/hello', 'latest')
    const digest = first.headers.get('docker-content-digest')
    expect([first.status, await line()]).toEqual([200, 'miss hub/greetings/hello latest'])
    expect(await upstream.stop()).toBe(0)
    const second = await pull(origin, 'hub/greetings/hello', 'latest')
    expect([second.status, second.headers.get('docker-content-digest')]).toEqual([200, digest])
    expect(await line()).toBe('hit hub/greetings/hello latest')
    expect(await stop()).toBe(0)
  })
})

describe('examples/image.js', () => {
  it('builds an image on a base for two platforms, and serves it with its SBOM', async () => {
    const { origin, lines, stop } = await start('image')
    const accept = { accept: MEDIA_TYPES.ociIndex }
    const response = await pull(origin, 'team/app', 'latest', accept)
    const digest = response.headers.get('docker-content-digest')
    expect(lines).toEqual([`pushed ${digest}`, 'runs /usr/bin/node server.js', 'has node for linux/arm64'])
    expect(await response.json()).toMatchObject({
      manifests: [{ platform: { architecture: 'amd64' } }, { platform: { architecture: 'arm64' } }],
    })
    const referrers = await fetch(`${origin}/v2/team/app/referrers/${digest}`)
    expect(await referrers.json()).toMatchObject({ manifests: [{ artifactType: 'application/spdx+json' }] })
    expect(await stop()).toBe(0)
  })
})
