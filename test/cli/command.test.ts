import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SERVE_OPTIONS } from '../../src/cli/serve-options.ts'
import { version } from '../../src/cli/version.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { HttpClient } from '../support/http-client.ts'
import { COMMAND, RunningCommand } from '../support/server-process.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wharfage-cli-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function serve(...args: readonly string[]): RunningCommand {
  return new RunningCommand([COMMAND, 'serve', '--listen', '127.0.0.1:0', ...args], { cwd: directory })
}

/** Runs to its end. */
async function run(...args: readonly string[]) {
  await using command = new RunningCommand([COMMAND, ...args], { cwd: directory })
  const { code } = await command.exit
  return { code, stdout: command.stdout, stderr: command.stderr }
}

const BLOB = Buffer.from('some bytes, sent in two halves')
const DIGEST = digestOf(BLOB)

describe('wharfage', () => {
  it('prints its version', async () => {
    expect(await run('--version')).toEqual({ code: 0, stdout: `${version()}\n`, stderr: '' })
  })

  it('lists its commands in its help, and fails with the same where none is given', async () => {
    const help = await run('--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('serve')
    expect(await run()).toEqual({ code: 2, stdout: '', stderr: help.stdout })
  })

  it.each([
    [['srve'], 'wharfage: unknown command "srve": did you mean serve?'],
    [
      ['frobnicate'],
      'wharfage: unknown command "frobnicate": the commands are: serve, copy, tags, inspect, delete, login, logout',
    ],
    [['--listen', ':0'], 'wharfage: a command is missing before --listen: wharfage serve --listen …'],
    [['serve', '--lisen', ':0'], 'wharfage: unknown option --lisen: did you mean --listen? (--help lists the options)'],
    [
      ['serve', '--listen', '0.0.0.0:0'],
      'wharfage: --listen 0.0.0.0:0: without authentication, everyone on that network could read, replace and delete images. Give --htpasswd FILE, listen on 127.0.0.1, or say that this is meant with --allow-anonymous-network',
    ],
    [
      ['serve', '--storage', 'fil:data'],
      'wharfage: --storage fil:data: no such kind of storage: did you mean file:DIR?',
    ],
    [
      ['serve', '--storage', 's4:data'],
      'wharfage: --storage s4:data: no such kind of storage: did you mean s3://BUCKET/PREFIX?…?',
    ],
    [
      ['serve', '--listen', ':5056'],
      'wharfage: --listen :5056: on which address? 127.0.0.1:5056 for this machine alone, 0.0.0.0:5056 --allow-anonymous-network for all',
    ],
    [
      ['serve', '--storage', 'file:~/foo'],
      `wharfage: --storage file:~/foo: the shell leaves this ~ as it is; write --storage file:${join(homedir(), 'foo')} (for a directory that is called so, --storage file:./~/foo)`,
    ],
    [
      ['serve', '--storage', 'file:~ann'],
      'wharfage: --storage file:~ann: the shell leaves this ~ as it is; write the whole path (for a directory that is called so, --storage file:./~ann)',
    ],
    [['serve', '--storage', './data'], 'wharfage: --storage ./data: for a directory, write --storage file:./data'],
    [['serve', '--storage', 'file:'], 'wharfage: --storage file:: a directory is missing: file:DIR'],
    [['serve', '--storage', 'memory:x'], 'wharfage: --storage memory:x: memory: takes no path'],
  ])('exits with 2 for %j', async (args, message) => {
    expect(await run(...args)).toEqual({ code: 2, stdout: '', stderr: `${message}\n` })
  })
})

describe('wharfage serve --help', () => {
  it('has a line for every option, with its default', async () => {
    const { code, stdout } = await run('serve', '--help')
    expect(code).toBe(0)
    for (const [name, option] of Object.entries(SERVE_OPTIONS)) {
      expect(stdout).toMatch(new RegExp(`^ {2}--${name} `, 'm'))
      if ('default' in option) expect(stdout.replace(/\s+/g, ' ')).toContain(`(default: ${option.default})`)
    }
  })
})

describe('wharfage serve', () => {
  it('listens on a free port, says where and how to push, and ends with 0', async () => {
    await using server = serve()
    const url = await server.listening()
    using client = new HttpClient(url)
    expect((await client.send('GET', '/v2/')).status).toBe(200)
    server.kill('SIGTERM')
    expect(await server.exit).toEqual({ code: 0, signal: null })
    const { host } = new URL(url)
    expect(server.stdout).toBe(
      [
        `listening on ${url}`,
        `images are in ${join(directory, 'registry-data')}`,
        'push one:',
        `  docker tag IMAGE ${host}/IMAGE`,
        `  docker push ${host}/IMAGE`,
        '',
      ].join('\n'),
    )
    expect(server.stderr).toBe('')
  })

  it('has after a restart what was pushed before', async () => {
    for (const expected of [404, 200]) {
      await using server = serve('--storage', 'file:images')
      using client = new HttpClient(await server.listening())
      expect((await client.send('HEAD', `/v2/a/blobs/${DIGEST}`)).status).toBe(expected)
      await client.send('POST', `/v2/a/blobs/uploads/?digest=${DIGEST}`, { body: BLOB })
      server.kill('SIGINT')
      expect((await server.exit).code).toBe(0)
    }
  })

  it('keeps nothing with memory:, refuses changes with --read-only, and names a --public-url', async () => {
    await using forgetful = serve('--storage', 'memory:', '--public-url', 'https://registry.example.com')
    using toForgetful = new HttpClient(await forgetful.listening())
    const started = await toForgetful.send('POST', '/v2/a/blobs/uploads/')
    expect(started).toMatchObject({
      status: 202,
      headers: { location: expect.stringMatching(/^https:\/\/registry\.example\.com\/v2\/a\/blobs\/uploads\//) },
    })
    await using reading = serve('--storage', 'memory:', '--read-only')
    using toReading = new HttpClient(await reading.listening())
    expect((await toReading.send('POST', '/v2/a/blobs/uploads/')).status).toBe(405)
  })

  it.each([
    ['none', 400],
    ['index', 400],
    ['all', 201],
  ])('with --sparse %s answers %i to an image whose layer is not there', async (sparse, status) => {
    await using server = serve('--storage', 'memory:', '--sparse', sparse)
    using client = new HttpClient(await server.listening())
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const missing = { mediaType: 'application/octet-stream', digest: DIGEST, size: BLOB.byteLength }
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: missing, layers: [missing] }))
    const answer = await client.send('PUT', '/v2/a/manifests/v1', { headers: { 'content-type': mediaType }, body })
    expect(answer.status).toBe(status)
  })

  it('names the port that is in use, and the option that changes it', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo // of a TCP server that listens
    try {
      expect(await run('serve', '--listen', `127.0.0.1:${port}`, '--storage', 'memory:')).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(
          `^wharfage: cannot listen on 127.0.0.1:${port}: the port is in use .*: --listen 127.0.0.1:\\d+\\n$`,
        ),
      })
    } finally {
      other.close()
    }
  })

  it('says that the storage is a file, or below one', async () => {
    await writeFile(join(directory, 'file'), '')
    for (const [path, reason] of [
      [join(directory, 'file'), 'it is a file'],
      [join(directory, 'file', 'below'), 'it, or something above it, is a file'],
    ] as const) {
      expect(await run('serve', '--storage', `file:${path}`)).toEqual({
        code: 1,
        stdout: '',
        stderr: `wharfage: storage directory ${path}: ${reason}; name another directory with --storage file:DIR\n`,
      })
    }
  })
})

describe('wharfage serve, stopped during a push', () => {
  it('takes no more connections, lets the push finish, and ends with 0', async () => {
    await using server = serve()
    const url = await server.listening()
    const push = await beginPush(url)
    server.kill('SIGTERM')
    await server.says('stopping when 1 running request(s) are done')
    await expect(fetch(`${url}/v2/`)).rejects.toThrow()
    expect(await push.finish()).toBe(201)
    expect(await server.exit).toEqual({ code: 0, signal: null })

    await using again = serve()
    using client = new HttpClient(await again.listening())
    expect((await client.send('GET', `/v2/a/blobs/${DIGEST}`)).body).toEqual(BLOB)
  })

  it('does not wait for a connection on which nothing was ever sent', async () => {
    await using server = serve()
    const url = new URL(await server.listening())
    const unused = connect(Number(url.port), url.hostname)
    await once(unused, 'connect')
    const ended = once(unused.resume(), 'close')
    // Connections are taken in turn: an answer to a later one means that the first was taken.
    expect((await fetch(`${url.origin}/v2/`)).status).toBe(200)
    server.kill('SIGTERM')
    expect(await server.exit).toEqual({ code: 0, signal: null })
    await ended
  })

  it('ends at once with 1 on a second signal', async () => {
    await using server = serve()
    const push = await beginPush(await server.listening())
    server.kill('SIGTERM')
    await server.says('stopping when')
    server.kill('SIGTERM')
    expect(await server.exit).toEqual({ code: 1, signal: null })
    await expect(push.answer).rejects.toThrow()
  })

  it('ends with 1 when the push outlasts --drain-timeout', async () => {
    await using server = serve('--drain-timeout', '0')
    const push = await beginPush(await server.listening())
    server.kill('SIGTERM')
    expect(await server.exit).toEqual({ code: 1, signal: null })
    await expect(push.answer).rejects.toThrow()
  })
})

/** Sends the first half of a blob. Resolves when the server has the request in hand. */
async function beginPush(url: string) {
  const outgoing = httpRequest(`${url}/v2/a/blobs/uploads/?digest=${DIGEST}`, {
    method: 'POST',
    headers: { 'content-length': BLOB.byteLength, expect: '100-continue' },
  })
  const answer = once(outgoing, 'response').then(([response]) => {
    const incoming = response as IncomingMessage // what 'response' comes with
    incoming.resume()
    return incoming.statusCode
  })
  answer.catch(() => {}) // looked at later
  outgoing.flushHeaders()
  await once(outgoing, 'continue')
  outgoing.write(BLOB.subarray(0, 10))
  return {
    answer,
    finish: () => {
      outgoing.end(BLOB.subarray(10))
      return answer
    },
  }
}
