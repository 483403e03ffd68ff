import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()

/** Of `wonderland`, as `htpasswd -nbB` wrote it. */
const HTPASSWD = 'alice:$2y$05$1FO/fH7CyQpAq3COgk07X.d8q9toBLMsvsvzIpcWAIRtQsSma9eCq\n'
const ALICE = `Basic ${Buffer.from('alice:wonderland').toString('base64')}`
const MALLORY = `Basic ${Buffer.from('alice:guess').toString('base64')}`

async function files(content: Record<string, string>): Promise<string> {
  const directory = await temporaryDirectory()
  for (const [name, text] of Object.entries(content)) await writeFile(join(directory, name), text)
  return directory
}

function serve(cwd: string, ...args: readonly string[]): RunningCommand {
  return new RunningCommand(
    [
      COMMAND,
      'serve',
      '--storage',
      'memory:',
      ...(args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']),
      ...args,
    ],
    { cwd },
  )
}

async function stop(server: RunningCommand): Promise<number | null> {
  server.kill('SIGTERM')
  return (await server.exit).code
}

async function run(cwd: string, ...args: readonly string[]) {
  await using command = serve(cwd, ...args)
  const { code } = await command.exit
  return { code, stderr: command.stderr }
}

async function certificate() {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...{ keyType: 'ec', algorithm: 'sha256' },
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  return { 'cert.pem': cert, 'key.pem': key }
}

describe('wharfage serve --htpasswd', () => {
  it('lets in who has a password, and writes each decision down', async () => {
    const directory = await files({ htpasswd: HTPASSWD, rules: 'home/{user}: pull, push\n' })
    await using server = serve(directory, '--htpasswd', 'htpasswd', '--rules', 'rules', '--audit-log', 'audit.jsonl')
    const url = await server.listening()
    const ask = async (path: string, authorization?: string, method = 'GET') => {
      const answer = await fetch(url + path, { method, headers: authorization === undefined ? {} : { authorization } })
      await answer.arrayBuffer()
      return [answer.status, answer.headers.get('www-authenticate')]
    }
    expect(await ask('/v2/')).toEqual([401, 'Basic realm="wharfage"'])
    expect(await ask('/v2/', MALLORY)).toEqual([401, 'Basic realm="wharfage"'])
    expect(await ask('/v2/', ALICE)).toEqual([200, null])
    expect(await ask('/v2/home/alice/blobs/uploads/', ALICE, 'POST')).toEqual([202, null])
    expect(await ask('/v2/home/bob/tags/list', ALICE)).toEqual([403, null])
    expect(await stop(server)).toBe(0)
    expect(server.stdout).toContain(`push one:\n  docker login ${new URL(url).host}\n  docker tag `)
    const log = await readFile(join(directory, 'audit.jsonl'), 'utf8')
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ outcome, subject, route }) => [outcome, subject, route])).toEqual([
      ['challenged', undefined, 'ping'],
      ['challenged', undefined, 'ping'],
      ['allowed', 'alice', 'ping'],
      ['allowed', 'alice', 'startUpload'],
      ['denied', 'alice', 'listTags'],
    ])
    expect(log).not.toMatch(/wonderland|guess|\$2y/)
    expect((await stat(join(directory, 'audit.jsonl'))).mode & 0o777).toBe(0o600)
  })

  it('gives out tokens, also to whoever has no password', async () => {
    const directory = await files({ htpasswd: HTPASSWD, rules: 'library/*: anonymous pull\n' })
    await using server = serve(directory, '--htpasswd', 'htpasswd', '--rules', 'rules', '--token-issuer', 'generate')
    const url = await server.listening()
    const challenge = (await fetch(`${url}/v2/`)).headers.get('www-authenticate')
    expect(challenge).toBe(`Bearer realm="${url}/v2/_wharfage/token",service="wharfage"`)
    const asked = await fetch(`${url}/v2/_wharfage/token?service=wharfage&scope=repository:library/app:pull`)
    const { token } = (await asked.json()) as { token: string }
    const answer = await fetch(`${url}/v2/library/app/tags/list`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status).toBe(404)
    expect(await stop(server)).toBe(0)
  })

  it.each<[readonly string[], Record<string, string>, number, string]>([
    [['--htpasswd', 'nowhere'], {}, 1, '--htpasswd nowhere: no such file'],
    [
      ['--htpasswd', 'h'],
      { h: 'alice:secret' },
      1,
      '--htpasswd h: line 1: "alice" has no bcrypt hash; make one with: htpasswd -B FILE alice',
    ],
    [['--htpasswd', 'h', '--rules', 'r'], { h: HTPASSWD, r: 'team/*: pul' }, 1, '--rules r: line 1: '],
    [
      ['--htpasswd', 'h', '--rules', 'r'],
      { h: HTPASSWD, r: 'a/*: anonymous pull' },
      1,
      '--rules r: line 1: a rule for anonymous, which is refused here: it takes tokens to serve those who have not logged in beside those who have: wharfage serve --token-issuer',
    ],
    [['--htpasswd', 'h', '--token-issuer', '.'], { h: HTPASSWD }, 1, '--token-issuer .: not a file'],
    [['--htpasswd', 'h', '--audit-log', '.'], { h: HTPASSWD }, 1, '--audit-log .: not a file'],
    [
      ['--htpasswd', 'h', '--audit-log', 'no/where'],
      { h: HTPASSWD },
      1,
      '--audit-log no/where: no such file or directory',
    ],
    [['--rules', 'r'], {}, 2, '--rules needs --htpasswd or --tls-client-ca'],
    [['--token-issuer', 'generate'], {}, 2, '--token-issuer needs --htpasswd'],
    [
      ['--htpasswd', 'h', '--token-issuer', 'k'],
      { h: HTPASSWD },
      1,
      '--token-issuer k: no such file. Make one with: openssl genpkey',
    ],
    [
      ['--htpasswd', 'h', '--token-issuer', 'generat'],
      { h: HTPASSWD },
      1,
      '--token-issuer generat: no such file: did you mean generate?',
    ],
    [
      ['--htpasswd', 'h', '--token-issuer', 'k'],
      { h: HTPASSWD, k: 'x' },
      1,
      '--token-issuer k: a key that signs tokens must be a private key',
    ],
    [['--audit-log', 'no/where'], {}, 1, '--audit-log no/where: '],
    [['--listen', '0.0.0.0:0', '--htpasswd', 'h'], {}, 2, 'without TLS, everyone on the way could read passwords'],
    [['--trusted-proxy', 'nobody'], {}, 2, '--trusted-proxy nobody: expected an IP address, or a CIDR block'],
  ])('says what is wrong with %j', async (args, content, code, message) => {
    const result = await run(await files(content), ...args)
    expect(result.stderr).toContain(message)
    expect(result.code).toBe(code)
    expect(result.stderr.split('\n').length).toBe(2)
  })
})

describe('wharfage serve --tls-cert', () => {
  it('speaks both versions of HTTP, and ends when asked though connections are open', async () => {
    const content = await certificate()
    await using server = serve(await files(content), '--tls-cert', 'cert.pem', '--tls-key', 'key.pem')
    const url = new URL(await server.listening())
    expect(url.protocol).toBe('https:')
    const trust = { ca: content['cert.pem'], servername: 'localhost' }
    const session = connectHttp2(url.origin, trust)
    const [headers] = await once(session.request({ ':path': '/v2/' }), 'response')
    expect(headers[':status']).toBe(200)
    const sent = request(`${url.origin}/v2/`, { ...trust, headers: { connection: 'keep-alive' } })
    sent.end()
    const [response] = await once(sent, 'response')
    expect(response.resume().statusCode).toBe(200)
    // Nor for a connection on which no handshake was begun.
    const unused = connect(Number(url.port), url.hostname).on('error', () => {})
    await once(unused, 'connect')
    expect(await stop(server)).toBe(0)
    expect(server.stderr).toBe('')
    session.destroy()
    unused.destroy()
  })

  it('lets pushes finish that are running when it is asked to end', async () => {
    const content = await certificate()
    await using server = serve(await files(content), '--tls-cert', 'cert.pem', '--tls-key', 'key.pem')
    const { origin } = new URL(await server.listening())
    const trust = { ca: content['cert.pem'], servername: 'localhost' }
    const body = Buffer.from('sent in two halves')
    const path = `/v2/a/blobs/uploads/?digest=${digestOf(body)}`
    const headers = { 'content-length': body.length, expect: '100-continue' }
    const session = connectHttp2(origin, trust)
    const stream = session.request({ ...headers, ':method': 'POST', ':path': path })
    const sent = request(origin + path, { ...trust, method: 'POST', headers })
    sent.flushHeaders()
    await Promise.all([stream, sent].map((outgoing) => once(outgoing, 'continue')))
    const isClosed = once(session, 'close')
    server.kill('SIGTERM')
    await server.says('stopping when 2 running request(s) are done')
    const answers = Promise.all([once(stream, 'response'), once(sent, 'response')])
    for (const outgoing of [stream, sent]) outgoing.end(body)
    const [[answered], [response]] = await answers
    expect([answered[':status'], response.statusCode]).toEqual([201, 201])
    stream.resume()
    response.resume()
    expect(await server.exit).toEqual({ code: 0, signal: null })
    await isClosed
  })

  it('lets in who has a certificate', async () => {
    const content = await certificate()
    const directory = await files({ ...content, rules: 'a/*: user(localhost) pull, push\n' })
    const tls = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem', '--tls-client-ca', 'cert.pem', '--rules', 'rules']
    await using server = serve(directory, ...tls)
    const url = new URL(await server.listening())
    const status = async (path: string, identity: object) => {
      const options = { ca: content['cert.pem'], servername: 'localhost', agent: false as const, ...identity }
      const sent = request(url.origin + path, options)
      sent.end()
      const [answer] = await once(sent, 'response')
      return answer.resume().statusCode
    }
    const own = { cert: content['cert.pem'], key: content['key.pem'] }
    expect(await status('/v2/a/b/tags/list', own)).toBe(404)
    expect(await status('/v2/b/b/tags/list', own)).toBe(403)
    const push = { ...own, method: 'POST' }
    expect(await status('/v2/a/b/blobs/uploads/', push)).toBe(202)
    const page = { ...push, headers: { origin: 'https://elsewhere.test' } }
    expect(await status('/v2/a/b/blobs/uploads/', page)).toBe(403)
    await expect(status('/v2/', {})).rejects.toThrow()
    expect(await stop(server)).toBe(0)
  })

  it.each<[readonly string[], number, string]>([
    [['--tls-cert', 'c'], 2, '--tls-cert needs --tls-key'],
    [['--tls-key', 'k'], 2, '--tls-key needs --tls-cert'],
    [['--tls-client-ca', 'c'], 2, '--tls-client-ca needs --tls-cert and --tls-key'],
    [['--tls-min-version', '1.1'], 2, '--tls-min-version 1.1: expected 1.2 or 1.3'],
    [['--tls-cert', 'c', '--tls-key', 'k'], 1, 'the certificate c cannot be read: no such file'],
  ])('says what is wrong with %j', async (args, code, message) => {
    const result = await run(await files({}), ...args)
    expect([result.code, result.stderr]).toEqual([code, `wharfage: ${message}\n`])
  })
})
