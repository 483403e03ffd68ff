import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { COPY_OPTIONS } from '../../src/cli/copy-options.ts'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { Registry } from '../../src/registry.ts'
import type { Digest } from '../../src/spec/digest.ts'
import { startRegistry } from '../../src/testing/index.ts'
import { childOf, platform, pushIndex } from '../copy/support.ts'
import { pushImage } from '../support/images.ts'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { withResolvers } from '../support/with-resolvers.ts'

const temporary = temporaryDirectories()
let directory = ''
const digests: Record<string, Digest> = {}

/** `store` holds `team/app`: v1, v2, and an index of two platforms. */
beforeEach(async () => {
  directory = await temporary()
  await using registry = new Registry({ storage: filesystem(join(directory, 'store'), { durability: 'none' }) })
  const repository = registry.repository('team/app')
  const one = await pushImage(repository, ['one'], { tags: ['v1'] })
  const two = await pushImage(repository, ['two', 'three'], { tags: ['v2'] })
  const children = [childOf(one, platform('linux/amd64')), childOf(two, platform('linux/arm64'))]
  Object.assign(digests, { one: one.digest, two: two.digest })
  digests.multi = (await pushIndex(repository, children, { tags: ['multi'] })).digest
})

function start(...args: readonly string[]): RunningCommand {
  return new RunningCommand([COMMAND, ...args], { cwd: directory, env: environment() })
}

/** Of no user: neither logins nor proxies. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: directory, DOCKER_CONFIG: join(directory, 'docker') }
}

async function run(...args: readonly string[]) {
  await using command = start(...args)
  const { code } = await command.exit
  return { code, stdout: command.stdout, stderr: command.stderr }
}

async function lines(...args: readonly string[]) {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.split('\n').slice(0, -1)
}

const tagsOf = (place: string) => lines('tags', place)

describe('wharfage copy', () => {
  it('says line by line what it does, and at last what came of it', async () => {
    const { code, stdout, stderr } = await run('copy', 'file:store//team/app:v1', 'oci:layout', '--concurrency', '1')
    expect(code).toBe(0)
    expect(stdout).toBe(`team/app:v1 ${digests.one}\n2 blobs moved (21 B), 1 manifest written\n`)
    expect(stderr.replace(/sha256:\w{64}/g, 'DIGEST').split('\n')).toEqual([
      'team/app: 2 blobs, 21 B to move',
      'blob DIGEST 18 B',
      'blob DIGEST 3 B',
      'manifest DIGEST',
      'tag team/app:v1 at DIGEST',
      '',
    ])
    expect(await tagsOf('oci:layout')).toEqual(['team/app:v1'])
  })

  it('copies through layouts and archives, and back, under the same names', async () => {
    const path = ['file:store', 'oci:layout', 'docker-archive:a.tar', 'oci-archive:b.tar', 'file:end']
    for (const [i, from] of path.slice(0, -1).entries()) {
      expect(await lines('copy', from, path[i + 1] ?? '', '--all-tags', '--quiet')).toEqual([])
    }
    expect(await tagsOf('file:end')).toEqual(['team/app:multi', 'team/app:v1', 'team/app:v2'])
    expect((await lines('inspect', 'file:end//team/app:multi'))[1]).toBe(`  digest    ${digests.multi}`)
    expect((await readdir(directory)).sort()).toEqual(['a.tar', 'b.tar', 'end', 'layout', 'store'])
  })

  it('pushes to a registry and pulls from it, mounts within, and says where it is without one', async () => {
    await using server = start('serve', '--listen', '127.0.0.1:0', '--storage', 'memory:')
    const { host } = new URL(await server.listening())
    await lines('copy', 'file:store//team/app', `docker://${host}/`, '--tag', 'v*', '--quiet')
    expect(await tagsOf(`docker://${host}/team/app`)).toEqual(['v1', 'v2'])
    const { stdout } = await run('copy', `docker://${host}/team/app:v1`, `docker://${host}/other:new`)
    expect(stdout).toBe(`other:new ${digests.one}\n0 blobs moved (0 B), 2 mounted (21 B), 1 manifest written\n`)
    await lines('copy', `docker://${host}/team/app:v2`, 'oci:named', '--quiet')
    await lines('copy', `docker://${host}/team/app:v2`, 'oci:named:short', '--quiet')
    expect(await tagsOf('oci:named')).toEqual([`${host}/team/app:v2`, 'image:short'])
    server.kill('SIGTERM')
    await server.exit
    expect(await run('copy', `docker://${host}/team/app:v1`, 'oci:none')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(`^wharfage: team/app:v1: ${host} does not answer: .*ECONNREFUSED.*\\n$`),
    })
  })

  it('carries what a layout holds of one registry into another, without the host', async () => {
    await using server = start('serve', '--listen', '127.0.0.1:0', '--storage', 'memory:')
    const { host } = new URL(await server.listening())
    await lines('copy', 'file:store//team/app', `docker://${host}/`, '--all-tags', '--quiet')
    await lines('copy', `docker://${host}/team/app`, 'oci:carry', '--all-tags', '--quiet')
    expect(await tagsOf('oci:carry')).toEqual([`${host}/team/app:multi`, `${host}/team/app:v1`, `${host}/team/app:v2`])

    await using other = start('serve', '--listen', '127.0.0.1:0', '--storage', 'memory:')
    const { host: to } = new URL(await other.listening())
    await lines('copy', 'oci:carry', `docker://${to}/`, '--tag', 'v*', '--quiet')
    await lines('copy', 'oci:carry', `docker://${to}/imp/ort`, '--all-tags', '--quiet')
    await lines('copy', `oci:carry:${host}/team/app`, `docker://${to}/by/name`, '--tag', 'v1', '--quiet')
    await lines('copy', `oci:carry:${host}/team/app:v2`, `docker://${to}/`, '--quiet')
    expect(await tagsOf(`docker://${to}/`)).toEqual([
      'by/name:v1',
      ...['multi', 'v1', 'v2'].map((tag) => `imp/ort:${tag}`),
      ...['v1', 'v2'].map((tag) => `team/app:${tag}`),
    ])
    // Into another layout it keeps its name.
    await lines('copy', 'oci:carry', 'oci-archive:carry.tar', '--tag', 'v1', '--quiet')
    expect(await tagsOf('oci-archive:carry.tar')).toEqual([`${host}/team/app:v1`])
    await lines('copy', 'oci-archive:carry.tar', 'file:end', '--all-tags', '--quiet')
    expect(await tagsOf('file:end')).toEqual(['team/app:v1'])
    // All of a registry gets its host, as each of its repositories does.
    await lines('copy', `docker://${to}/`, 'oci:back', '--tag', 'multi', '--quiet')
    expect(await tagsOf('oci:back')).toEqual([`${to}/imp/ort:multi`])
  })

  it('speaks TLS with a registry on a loopback address where it is told to, and else says what it spoke', async () => {
    await using registry = await startRegistry({ tls: true })
    const { host } = registry
    const plain = await run('copy', 'file:store//team/app:v1', `docker://${host}/`)
    expect(plain.code).toBe(1)
    expect(plain.stderr).toMatch(
      /does not answer to plain HTTP: .*\(--tls asks for TLS; of copy, --src-tls and --dest-tls\)\n$/,
    )
    const careless = ['--dest-tls', '--dest-tls-verify', 'false', '--quiet']
    await lines('copy', 'file:store//team/app:v1', `docker://${host}/`, ...careless)
    await lines('copy', `docker://${host}/team/app:v1`, 'oci:back', '--src-tls', '--src-tls-verify', 'false', '--quiet')
    expect(await lines('tags', `docker://${host}/team/app`, '--tls', '--tls-verify', 'false')).toEqual(['v1'])
  })

  it('mixes no two repositories of a layout, and takes one by its name', async () => {
    for (const name of ['a.example/app', 'b.example/app']) {
      await lines('copy', 'file:store//team/app:v1', `oci:carry:${name}`, '--quiet')
    }
    const from = 'oci:carry'
    expect(await tagsOf(from)).toEqual(['a.example/app:v1', 'b.example/app:v1'])
    expect(await run('copy', from, 'file:end', '--all-tags')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'wharfage: a.example/app and b.example/app would both be app in the target: copy one at a time, and name its repository there\n',
    })
    expect(await run('copy', from, 'file:end//imp/ort', '--all-tags')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'wharfage: oci:carry: many repositories cannot be copied into one, imp/ort. There are a.example/app, b.example/app: name one, or leave out imp/ort\n',
    })
    await lines('copy', from, 'file:end//imp/ort', '--repository', 'b.example/*', '--quiet')
    await lines('copy', `${from}:a.example/app`, 'file:end', '--quiet') // the only image in it
    expect(await tagsOf('file:end')).toEqual(['app:v1', 'imp/ort:v1'])
    expect(await run('copy', from, 'file:end//none', '--repository', 'c.example/*')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'wharfage: oci:carry: there is no such repository\n',
    })
  })

  it('reads a word after a layout as a tag, and as a repository where there is no such tag', async () => {
    await lines('copy', 'file:store//team/app:v1', 'oci:carry:app', '--quiet')
    await lines('copy', 'file:store//team/app:v1', 'oci:carry:app:latest', '--quiet')
    await lines('copy', 'file:store//team/app:v2', 'oci:carry:app:old', '--quiet')
    await lines('copy', 'file:store//team/app:v2', 'oci:carry:other:old', '--quiet')
    expect(await tagsOf('oci:carry')).toEqual(['app:latest', 'app:old', 'image:app', 'other:old'])
    expect((await lines('inspect', 'oci:carry:app'))[0]).toBe('image:app')
    expect((await lines('inspect', 'oci:carry:docker.io/library/app'))[0]).toBe('app:latest')
    expect((await lines('inspect', 'oci:carry:other'))[0]).toBe('other:old')
    expect(await tagsOf('oci:carry:other')).toEqual(['old'])
    expect((await run('inspect', 'oci:carry:none')).stderr).toBe('wharfage: image:none: manifest unknown to registry\n')
  })

  it('chooses platforms, and narrows the index where it is told to', async () => {
    await lines('copy', 'file:store//team/app:multi', 'oci:kept', '--platform', 'linux/arm64', '--quiet')
    expect((await lines('inspect', 'oci:kept'))[1]).toBe(`  digest    ${digests.multi}`)
    const place = 'file:store//team/app:multi'
    await lines('copy', place, 'oci:narrow', '--platform', 'linux/arm64', '--narrow-index', '--quiet')
    const shown = await lines('inspect', 'oci:narrow')
    expect(shown[1]).not.toBe(`  digest    ${digests.multi}`)
    expect(shown.slice(3)).toEqual(['  platforms', expect.stringContaining(`    linux/arm64  ${digests.two}  `)])
  })

  it('with --json writes an object a line, with --quiet the result alone', async () => {
    const events = (await run('copy', 'file:store//team/app:v1', 'oci:layout', '--json')).stdout.trim().split('\n')
    const types = events.map((line) => (JSON.parse(line) as { type: string }).type) // of ours
    expect(types[0]).toBe('planned')
    expect(types.at(-2)).toBe('tag.set')
    const result = {
      type: 'result',
      images: [{ repository: 'team/app', digest: digests.one, tags: ['v1'] }],
      manifests: { written: 1, skipped: 0 },
    }
    expect(JSON.parse(events.at(-1) ?? '')).toMatchObject(result)
    const again = await lines('copy', 'file:store//team/app:v1', 'oci:other', '--json', '--quiet')
    expect(again.map((line) => JSON.parse(line) as unknown)).toMatchObject([result])
  })

  it('with --dry-run tells the same and makes nothing', async () => {
    for (const target of ['file:new', 'oci:new', 'oci-archive:new']) {
      const { code, stdout } = await run('copy', 'file:store//team/app:v1', target, '--dry-run')
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: `team/app:v1 ${digests.one}\nwould be: 2 blobs moved (21 B), 1 manifest written\n`,
      })
    }
    expect(await readdir(directory)).toEqual(['store'])
  })

  it.each([
    [['copy'], 2, 'SRC is missing (--help lists the options)'],
    [
      ['copy', 'oci:a', 'oci:b', '--tag', 'v*', '--all-tags'],
      2,
      '--all-tags and --tag are opposites: give one of them',
    ],
    [
      ['copy', 'oci:a', 'oci:b', '--narrow-index'],
      2,
      '--narrow-index leaves out platforms: say with --platform which ones stay',
    ],
    [['copy', 'oci:a', 'oci:b', '--concurrency', '0'], 2, '--concurrency 0: expected a number from 1 to 999'],
    [['copy', 'oci:a', 'oci:b', '--src-creds', 'secret'], 2, '--src-creds: expected USER:PASSWORD'],
    [
      ['copy', 'oci:a', 'oci:b', '--src-tls', '--src-plain-http'],
      2,
      '--src-tls and --src-plain-http are opposites: give one of them',
    ],
    [['copy', 'oci:a', 'oci:b', '--dest-tls-verify', 'no'], 2, '--dest-tls-verify no: expected true or false'],
    [
      ['copy', 'file:store', 'oci:b'],
      2,
      'file:store: which image? There are team/app:multi, team/app:v1, team/app:v2: name one, or take all with --all-tags',
    ],
    [
      ['copy', 'file:store//team/app:v1', 'oci:b', '--all-tags'],
      2,
      'file:store//team/app:v1 names one image: leave v1 out to choose among the tags',
    ],
    [
      ['copy', 'file:store//team/app', 'oci:b:v9', '--all-tags'],
      2,
      'many images cannot be copied to one reference: leave out the one of the target',
    ],
    [
      ['copy', 'file:store//team/app:v1', 'oci:b', '--platform', 'amd64'],
      2,
      'the string "amd64" is no platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, linux/arm64 say',
    ],
    [['copy', 'file:store//team/app:v7', 'oci:b'], 1, 'team/app:v7: manifest unknown to registry'],
    [['copy', 'file:store//none', 'oci:b'], 1, 'file:store//none: there is no image'],
    [
      ['copy', 'file:store//team/app', 'file:b', '--quiet', '--tag', 'z*'],
      1,
      'file:store//team/app: there is no tag that matches z*',
    ],
    [
      ['copy', 'file:store', 'file:b', '--quiet', '--tag', 'z*', '--tag', 'y', '--repository', 'team/**', '--dry-run'],
      1,
      'file:store: there is no tag that matches z* or y in a repository that matches team/**',
    ],
    [
      ['copy', 'file:store', 'file:b', '--repository', 'none/**'],
      1,
      'file:store: there is no tag in a repository that matches none/**',
    ],
  ])('fails: %j', async (args, code, message) => {
    expect(await run(...args)).toEqual({ code, stdout: '', stderr: `wharfage: ${message}\n` })
  })

  it('has a line in its help for every option and every place', async () => {
    const help = (await lines('copy', '--help')).join('\n')
    for (const name of Object.keys(COPY_OPTIONS)) expect(help).toMatch(new RegExp(`^ {2}--${name} `, 'm'))
    for (const form of [
      'docker://',
      'oci:',
      'oci-archive:',
      'docker-archive:',
      'file:',
      's3://',
      'azure://',
      'gs://',
    ]) {
      expect(help).toContain(`\n  ${form}`)
    }
  })

  it('interrupted, ends with 130 and leaves no archive', async () => {
    const { url, asked, close } = await stallingRegistry()
    try {
      await using command = start('copy', `docker://${url}/a:v1`, 'oci-archive:out.tar')
      await asked
      command.kill('SIGINT')
      expect(await command.exit).toEqual({ code: 130, signal: null })
      expect(command.stderr).toContain('wharfage: interrupted\n')
      expect(await readdir(directory)).toEqual(['store'])
    } finally {
      close()
    }
  })
})

describe('wharfage inspect', () => {
  it('shows an image, and its manifest as it is', async () => {
    expect(await lines('inspect', 'file:store//team/app:v2')).toEqual([
      'team/app:v2',
      `  digest    ${digests.two}`,
      '  type      application/vnd.oci.image.manifest.v1+json',
      '  layers, 8 B',
      expect.stringMatching(/^ {4}application\/octet-stream {2}sha256:\w{64} {2}3 B$/),
      expect.stringMatching(/^ {4}application\/octet-stream {2}sha256:\w{64} {2}5 B$/),
    ])
    const { stdout } = await run('inspect', 'file:store//team/app:v2', '--raw')
    const { manifest, config } = JSON.parse((await lines('inspect', 'file:store//team/app:v2', '--json'))[0] ?? '')
    expect(manifest).toEqual(JSON.parse(stdout))
    expect(config).toEqual({ layers: ['two', 'three'] })
  })
})

describe('wharfage tags', () => {
  it('lists as JSON too', async () => {
    expect(await lines('tags', 'file:store', '--json')).toEqual([
      '{"repository":"team/app","tags":["multi","v1","v2"]}',
    ])
  })

  it('fails for a repository that is not there', async () => {
    expect(await run('tags', 'file:store//none')).toMatchObject({ code: 1, stdout: '' })
  })
})

describe('wharfage delete', () => {
  it('refuses without a terminal to ask on, unless it is told yes', async () => {
    expect(await run('delete', 'file:store//team/app:v1')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'wharfage: without a terminal to ask on, delete needs --yes; --dry-run shows what it would do\n',
    })
    expect(await tagsOf('file:store//team/app')).toEqual(['multi', 'v1', 'v2'])
    expect(await lines('delete', 'file:store//team/app:v1', '--dry-run')).toEqual([
      `would delete the tag team/app:v1, at ${digests.one}`,
    ])
    expect(await tagsOf('file:store//team/app')).toEqual(['multi', 'v1', 'v2'])
    expect(await lines('delete', 'file:store//team/app:v1', '--yes')).toEqual([
      `deleted the tag team/app:v1, at ${digests.one}`,
    ])
    expect(await tagsOf('file:store//team/app')).toEqual(['multi', 'v2'])
  })

  it('deletes a manifest with its tags, and a whole repository', async () => {
    expect(await lines('delete', `file:store//team/app@${digests.two}`, '--yes')).toEqual([
      `deleted the manifest team/app@${digests.two}, with the tags v2`,
    ])
    expect(await lines('delete', 'file:store//team/app', '--whole-repository', '--yes')).toEqual([
      'deleted the repository team/app, with 2 tags and everything in it',
    ])
    expect(await tagsOf('file:store')).toEqual([])
  })

  it.each([
    ['file:store//team/app', [], 'delete takes one image: name a tag or a digest, or say --whole-repository'],
    ['docker://127.0.0.1:1/app', [], 'delete takes one image: name a tag or a digest, or say --whole-repository'],
    ['file:store', [], 'delete takes one image: name its repository, and a tag or a digest'],
    ['file:store//team/app:v1', ['--whole-repository'], '--whole-repository takes no tag'],
  ])('refuses %s %j', async (place, options, message) => {
    const stderr = `wharfage: ${place}: ${message}\n`
    expect(await run('delete', place, '--yes', ...options)).toEqual({ code: 2, stdout: '', stderr })
  })
})

/** Has one image, whose layer begins to come and never ends. */
async function stallingRegistry() {
  const { promise: asked, resolve: tell } = withResolvers()
  const digest = `sha256:${'1'.repeat(64)}`
  const blob = { mediaType: 'application/octet-stream', digest, size: 100_000_000 }
  const manifest = JSON.stringify({ schemaVersion: 2, config: blob, layers: [] })
  const server = createServer((req: IncomingMessage, res) => {
    if (req.url?.includes('/manifests/')) {
      const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
      res.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(manifest) })
      res.end(req.method === 'HEAD' ? undefined : manifest)
      return
    }
    res.writeHead(200, { 'content-length': blob.size }).write('x'.repeat(100_000))
    tell()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // of a TCP server that listens
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `127.0.0.1:${port}`, asked, close }
}
