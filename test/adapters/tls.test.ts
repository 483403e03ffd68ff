import { once } from 'node:events'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { Agent, createServer as createHttpsServer, type RequestOptions, request } from 'node:https'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { generate } from 'selfsigned'
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as forExpress from '../../src/adapters/express.ts'
import * as forFastify from '../../src/adapters/fastify.ts'
import * as forKoa from '../../src/adapters/koa.ts'
import type { TlsOptions } from '../../src/adapters/tls-files.ts'
import { createTlsRegistryServer } from '../../src/adapters/tls-server.ts'
import { clientCertificate, identityAccess } from '../../src/auth/index.ts'
import type { HandlerOptions } from '../../src/http/handler.ts'
import { silentLogger } from '../../src/logger.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { newRegistry, recordingLogger } from '../http/support.ts'
import { revocationList } from '../support/revocation-list.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

interface Pair {
  readonly cert: string
  readonly key: string
}

const temporaryDirectory = temporaryDirectories()
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function pair(
  name: string,
  by?: Pair,
  { ou = [] as string[], from = -1, to = 1, cA = by === undefined } = {},
): Promise<Pair> {
  const day = 86_400_000
  const units = ou.map((value) => ({ shortName: 'OU', value }))
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }, ...units], {
    ...{ keyType: 'ec', algorithm: 'sha256' },
    ...{ notBeforeDate: new Date(Date.now() + from * day), notAfterDate: new Date(Date.now() + to * day) },
    extensions: [
      { name: 'basicConstraints', cA, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 6, value: `spiffe://test/${name}` },
        ],
      },
    ],
    ...(by && { ca: { cert: by.cert, key: by.key } }),
  })
  return { cert, key }
}

const authority = await pair('authority')
const other = await pair('other authority')
const [first, second] = [await pair('first', authority), await pair('second', authority)]

const valid = await pair('alice', authority, { ou: ['developers', 'admins'], cA: false })
const foreign = await pair('alice', other, { cA: false })
const expired = await pair('alice', authority, { from: -3, to: -1, cA: false })
const selfSigned = await pair('alice')

async function files(content: Record<string, string>) {
  const directory = await temporaryDirectory()
  for (const [name, text] of Object.entries(content)) await writeFile(join(directory, name), text)
  return directory
}

async function serving(options: Partial<TlsOptions> = {}, { cert, key }: Pair = first, logger = recordingLogger()) {
  const directory = await files({ 'cert.pem': cert, 'key.pem': key, 'ca.pem': authority.cert })
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem'), reloadMs: 5, ...options }
  const access = identityAccess({ authenticate: clientCertificate(), permissions: () => true })
  const server = await createTlsRegistryServer(newRegistry(), {
    access,
    tls,
    logger,
    audit: (one) => void subjects.push(one.subject),
  })
  const subjects: (string | undefined)[] = []
  closers.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { directory, port, logger, subjects, server }
}

function toServer(port: number): RequestOptions {
  return { host: '127.0.0.1', servername: 'localhost', port, path: '/v2/a/tags/list', ca: authority.cert, agent: false }
}

/** The status, or why there is none. */
async function get(port: number, options: RequestOptions = {}): Promise<number | string | undefined> {
  const sent = request({ ...toServer(port), ...options })
  sent.end()
  try {
    const [response] = await once(sent, 'response')
    response.resume()
    await once(response, 'end')
    return response.statusCode
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
}

async function get2(port: number, options: object = {}): Promise<number | string | undefined> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { servername: 'localhost', ca: authority.cert, ...options })
  return new Promise((resolve) => {
    session.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
    session.on('close', () => resolve('closed'))
    const stream = session.request({ ':path': '/v2/a/tags/list' })
    // Of a refusal after the handshake, the session does not tell.
    stream.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
    stream.on('response', (headers) => {
      resolve(headers[':status'])
      session.destroy()
    })
  })
}

/** Common name of the certificate that a server shows now. */
async function shown(port: number, options: { maxVersion?: SecureVersion } & Partial<Pair> = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.cert, ...options })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

describe('createTlsRegistryServer', () => {
  it('serves both versions of HTTP', async () => {
    const { port } = await serving()
    expect([await get(port), await get2(port)]).toEqual([404, 404])
  })

  it.each<[TlsOptions['minVersion'], SecureVersion, string]>([
    [undefined, 'TLSv1.1', 'refused'],
    [undefined, 'TLSv1.2', 'first'],
    ['TLSv1.3', 'TLSv1.2', 'refused'],
    ['TLSv1.3', 'TLSv1.3', 'first'],
  ])('with the oldest version %s, answers %s: %s', async (minVersion, maxVersion, expected) => {
    const { port } = await serving({ ...(minVersion && { minVersion }) })
    const offer = { maxVersion, minVersion: 'TLSv1' as const, ciphers: 'DEFAULT@SECLEVEL=0' }
    expect(await shown(port, offer).catch(() => 'refused')).toBe(expected)
  })

  it('takes 250 requests at once of a connection over http2', async () => {
    const { port } = await serving()
    const session = connectHttp2(`https://127.0.0.1:${port}`, { servername: 'localhost', ca: authority.cert })
    const [settings] = await once(session, 'remoteSettings')
    session.destroy()
    expect(settings.maxConcurrentStreams).toBe(250)
  })

  it('shows a new certificate when its files are renamed into place, one after the other', async () => {
    const { port, directory, logger } = await serving()
    expect(await shown(port)).toBe('first')
    await writeFile(join(directory, 'new'), second.cert)
    await rename(join(directory, 'new'), join(directory, 'cert.pem'))
    await vi.waitFor(() => expect(logger.lines.length).toBe(1))
    expect(await shown(port)).toBe('first')
    await writeFile(join(directory, 'new'), second.key)
    await rename(join(directory, 'new'), join(directory, 'key.pem'))
    await vi.waitFor(async () => expect(await shown(port)).toBe('second'))
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'changed TLS files are not usable, the last ones stay in use'],
      ['warn', 'the TLS files are usable again, and in use'],
    ])
  })

  it('shows a new certificate when a link to both is swapped, as Kubernetes does', async () => {
    const directory = await temporaryDirectory()
    for (const [name, { cert, key }] of Object.entries({ first, second })) {
      await mkdir(join(directory, name))
      await writeFile(join(directory, name, 'cert.pem'), cert)
      await writeFile(join(directory, name, 'key.pem'), key)
    }
    await symlink('first', join(directory, 'data'))
    const { port } = await serving({ cert: join(directory, 'data/cert.pem'), key: join(directory, 'data/key.pem') })
    expect(await shown(port)).toBe('first')
    await symlink('second', join(directory, 'new'))
    await rename(join(directory, 'new'), join(directory, 'data'))
    await vi.waitFor(async () => expect(await shown(port)).toBe('second'))
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['no certificate', { 'key.pem': first.key }, /^the certificate .*cert\.pem cannot be read: no such file$/],
    ['no key', { 'cert.pem': first.cert }, /^the key .*key\.pem cannot be read: no such file$/],
    [
      'the key of another',
      { 'cert.pem': first.cert, 'key.pem': second.key },
      /^the key .*key\.pem is not that of the certificate .*cert\.pem$/,
    ],
    [
      'a key in place of the certificate',
      { 'cert.pem': first.key, 'key.pem': first.key },
      /cert\.pem is no certificate in PEM/,
    ],
    [
      'a certificate in place of the key',
      { 'cert.pem': first.cert, 'key.pem': first.cert },
      /key\.pem is no private key in PEM/,
    ],
    [
      'a key with a passphrase',
      {
        'cert.pem': first.cert,
        'key.pem': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----',
      },
      /it has a passphrase, take that off with openssl pkey$/,
    ],
  ])('refuses %s', async (_, content, message) => {
    const directory = await files(content)
    const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    await expect(createTlsRegistryServer(newRegistry(), { access: () => Promise.reject(), tls })).rejects.toThrow(
      message,
    )
  })

  it.each([
    [{ from: -3, to: -1 }, /cert\.pem has expired: it was valid until \w{3} .* GMT$/],
    [{ from: 1, to: 3 }, /cert\.pem is not valid yet: it will be from \w{3} .* GMT$/],
  ])('warns of a certificate with the dates %j, once', async (dates, message) => {
    const { logger, port } = await serving({}, await pair('old', authority, dates))
    expect(await get(port, { rejectUnauthorized: false })).toBe(404)
    expect(logger.lines).toEqual([
      { level: 'warn', fields: expect.anything(), message: expect.stringMatching(message) },
    ])
  })

  it('keeps to its options when its files have changed', async () => {
    const directory = await files({ 'ca.pem': authority.cert })
    const { port, directory: own } = await serving({ clientCa: join(directory, 'ca.pem'), minVersion: 'TLSv1.3' })
    for (const [name, text] of [
      ['cert.pem', second.cert],
      ['key.pem', second.key],
    ] as const) {
      await writeFile(join(own, 'new'), text)
      await rename(join(own, 'new'), join(own, name))
    }
    await vi.waitFor(async () => expect(await shown(port, valid)).toBe('second'))
    expect(await shown(port, { ...valid, maxVersion: 'TLSv1.2' }).catch(() => 'refused')).toBe('refused')
    expect([await get(port, valid), await get2(port, valid)]).toEqual([404, 404])
    expect([await get(port), await get2(port)]).not.toContain(404)
  })

  it.each<[object, string]>([
    [{ cert: undefined }, 'the option "tls.cert" must be the path of a PEM file, not undefined'],
    [{ key: '' }, 'the option "tls.key" must be the path of a PEM file'],
    [{ clientCa: '' }, 'the option "tls.clientCa" must be the path of a PEM file'],
    [{ clientCa: 'a', crl: '' }, 'the option "tls.crl" must be the path of a PEM file'],
    [{ reloadMs: 'soon' }, 'the option "tls.reloadMs" must be a number of milliseconds, not the string "soon"'],
    [{ reloadMs: 3e9 }, 'the option "tls.reloadMs" must be a number of milliseconds'],
    [{ minVersion: '1.2' }, 'the option "tls.minVersion" must be one of'],
    [{ clientCertificates: 'request' }, 'need "tls.clientCa"'],
    [{ certificate: 'x' }, '"tls" has no option "certificate"'],
  ])('refuses the options %j', async (options, message) => {
    await expect(serving(options)).rejects.toThrow(message)
  })
})

describe('certificates of clients', () => {
  it.each<[string, TlsOptions['clientCertificates'], Pair | undefined, string | undefined]>([
    ['none', 'require', undefined, 'refused'],
    ['a valid one', 'require', valid, 'alice'],
    ['one of another authority', 'require', foreign, 'refused'],
    ['one that has expired', 'require', expired, 'refused'],
    ['one of their own', 'require', selfSigned, 'refused'],
    ['none', 'request', undefined, undefined],
    ['a valid one', 'request', valid, 'alice'],
    ['one of another authority', 'request', foreign, undefined],
    ['one that has expired', 'request', expired, undefined],
    ['one of their own', 'request', selfSigned, undefined],
  ])('%s, where the server is to %s one', async (_, clientCertificates, certificate, expected) => {
    const directory = await files({ 'ca.pem': authority.cert })
    const { port, subjects } = await serving({
      clientCa: join(directory, 'ca.pem'),
      ...(clientCertificates && { clientCertificates }),
    })
    for (const ask of [get, get2]) {
      const status = await ask(port, certificate)
      if (expected === 'refused') expect(status).not.toBe(404)
      else expect([status, subjects.pop()]).toEqual([404, expected])
    }
    expect(subjects).toEqual([])
  })

  it('are not looked for in headers', async () => {
    const { port, subjects } = await serving()
    const headers = {
      'x-client-cert': encodeURIComponent(valid.cert),
      'x-forwarded-client-cert': 'Subject="CN=alice"',
      'ssl-client-s-dn': 'CN=alice',
    }
    expect([await get(port, { headers }), subjects]).toEqual([404, [undefined]])
  })

  it.each<[string, (options: HandlerOptions) => RequestListener | Promise<RequestListener>]>([
    ['Express', (options) => express().use(forExpress.registryMiddleware(newRegistry(), options))],
    ['Koa', (options) => new Koa().use(forKoa.registryMiddleware(newRegistry(), options)).callback()],
    [
      'Fastify',
      async (options) => {
        const app = fastify().register(forFastify.registryPlugin(newRegistry(), options))
        await app.ready()
        return app.routing
      },
    ],
  ])('are found through %s', async (_, listenerOf) => {
    const subjects: (string | undefined)[] = []
    const access = identityAccess({ authenticate: clientCertificate(), permissions: () => true })
    const audit: HandlerOptions['audit'] = ({ subject }) => void subjects.push(subject)
    const listener = await listenerOf({ access, audit, logger: silentLogger })
    const server = createHttpsServer(
      { ...first, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
      listener,
    )
    closers.push(() => server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    for (const certificate of [valid, foreign, undefined]) expect(await get(port, certificate)).toBe(404)
    expect(subjects).toEqual(['alice', undefined, undefined])
  })

  it.each([
    ['cn', 'alice'],
    ['dns', 'localhost'],
    ['uri', 'spiffe://test/alice'],
    ['email', undefined],
  ] as const)('name somebody by %s: %s', async (subject, expected) => {
    const socket = {
      authorized: true,
      getPeerCertificate: () => ({
        subject: { CN: 'alice', OU: ['a', 'b'] },
        subjectaltname: 'DNS:localhost, URI:spiffe://test/alice',
        valid_to: new Date(Date.now() + 60_000).toUTCString(),
      }),
    }
    const identity = expected && { subject: expected, groups: ['a', 'b'] }
    for (const raw of [{ socket }, { req: { socket } }, { raw: { socket } }]) {
      expect(await clientCertificate({ subject })({ raw } as never, {} as never)).toEqual(identity)
    }
    const open = { ...socket, authorized: false }
    expect(await clientCertificate({ subject })({ raw: { socket: open } } as never, {} as never)).toBeUndefined()
  })

  it.each([
    [{ subject: { CN: ['Users', 'alice'] } }, 'alice'],
    [{ subject: {} }, undefined],
    [{ valid_to: new Date(Date.now() - 1000).toUTCString() }, undefined],
    [{ valid_to: undefined }, undefined],
    [{ subject: undefined, valid_to: undefined }, undefined],
  ])('name somebody only where they hold: %j', async (fields, expected) => {
    const certificate = { subject: { CN: 'alice' }, valid_to: new Date(Date.now() + 60_000).toUTCString(), ...fields }
    const socket = { authorized: true, getPeerCertificate: () => certificate }
    const identity = await clientCertificate()({ raw: { socket } } as never, {} as never)
    expect(identity?.subject).toBe(expected)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'are known when a session of %s is taken up again, and nobody is without',
    async (maxVersion) => {
      const directory = await files({ 'ca.pem': authority.cert })
      const { port, subjects } = await serving({
        clientCa: join(directory, 'ca.pem'),
        clientCertificates: 'request',
      })
      for (const certificate of [valid, undefined]) {
        let session: Buffer | undefined
        for (const isReused of [false, true]) {
          const sent = request({ ...toServer(port), ...certificate, maxVersion, ...(session && { session }) })
          const [socket] = (await once(sent.end(), 'socket')) as [TLSSocket]
          socket.on('session', (ticket: Buffer) => {
            session = ticket
          })
          const [response] = await once(sent, 'response')
          expect(socket.isSessionReused()).toBe(isReused)
          await once(response.resume(), 'end')
        }
      }
      expect(subjects).toEqual(['alice', 'alice', undefined, undefined])
    },
  )

  it.each([get, get2])('are no longer let in once they are revoked, nor on connections that are open', async (ask) => {
    const bob = await pair('bob', authority, { cA: false })
    const elsewhere = await pair('carol', other, { cA: false })
    const lists = (...revoked: string[]) => revocationList(authority, revoked) + revocationList(other, [])
    const content = { 'ca.pem': authority.cert + other.cert, 'crl.pem': lists(bob.cert) }
    const directory = await files(content)
    const { port, subjects, logger } = await serving({
      clientCa: join(directory, 'ca.pem'),
      crl: join(directory, 'crl.pem'),
      clientCertificates: 'request',
    })
    for (const one of [valid, bob, elsewhere]) await ask(port, one)
    expect(subjects.splice(0)).toEqual(['alice', undefined, 'carol'])

    const session = connectHttp2(`https://127.0.0.1:${port}`, { servername: 'localhost', ca: authority.cert, ...valid })
    const goaway = once(session, 'goaway')
    await once(session.request({ ':path': '/v2/a/tags/list' }).resume(), 'end')
    const [idle, busy] = [1, 2].map(() => new Agent({ keepAlive: true, maxSockets: 1 })) as [Agent, Agent]
    closers.push(() => void [idle.destroy(), busy.destroy()])
    const socket = once(idle, 'free').then(([one]) => one as TLSSocket)
    await get(port, { ...valid, agent: idle })
    const isClosed = once(await socket, 'close')
    const body = Buffer.from('all of it')
    const push = request({
      ...{ ...toServer(port), ...valid, agent: busy, method: 'POST', headers: { 'content-length': body.length } },
      path: `/v2/a/blobs/uploads/?digest=${digestOf(body)}`,
    })
    push.write(body.subarray(0, 3))
    await vi.waitFor(() => expect(subjects).toEqual(['alice', 'alice', 'alice']))

    // A handshake that is drawn out would be verified by the old list.
    const drawnOut = connectTcp(port, '127.0.0.1').on('error', () => {})
    await once(drawnOut, 'connect')
    const isCutOff = once(drawnOut.resume(), 'close')
    await get(port, elsewhere)
    expect(subjects.pop()).toBe('carol')
    await writeFile(join(directory, 'new'), lists(bob.cert, valid.cert))
    await rename(join(directory, 'new'), join(directory, 'crl.pem'))
    await Promise.all([goaway, isClosed, isCutOff])
    push.end(body.subarray(3))
    const [pushed] = await once(push, 'response')
    await once(pushed.resume(), 'end')
    expect(pushed.statusCode).toBe(201)
    expect(await get(port, { ...valid, agent: busy })).toBe('ECONNRESET')
    for (const options of [valid, bob, elsewhere]) await ask(port, options)
    expect(subjects.slice(3)).toEqual([undefined, undefined, 'carol'])
    expect(logger.lines.map(({ message }) => message)).toEqual(['a changed certificate is in use'])
  })

  it('are those of an authority that is added while others pull', async () => {
    const directory = await files({ 'ca.pem': authority.cert })
    const { port, subjects } = await serving({ clientCa: join(directory, 'ca.pem') })
    expect([await get(port, foreign), subjects]).not.toContain(404)
    await writeFile(join(directory, 'new'), authority.cert + other.cert)
    await rename(join(directory, 'new'), join(directory, 'ca.pem'))
    await vi.waitFor(async () => expect(await get2(port, foreign)).toBe(404))
    expect([await get(port, foreign), await get(port, valid), await get(port, selfSigned)].slice(0, 2)).toEqual([
      404, 404,
    ])
    expect(subjects).toEqual(['alice', 'alice', 'alice'])
  })

  it.each<[string, Record<string, string>, string]>([
    // Node would take them for those that browsers trust.
    ['no authorities in their file', { 'ca.pem': '' }, 'ca.pem does not consist of PEM blocks'],
    ['half an authority', { 'ca.pem': authority.cert.slice(0, -40) }, 'ca.pem does not consist of PEM blocks'],
    ['an authority and a half', { 'ca.pem': authority.cert + other.cert.slice(0, 200) }, 'ca.pem does not consist of'],
    ['no list in its file', { 'crl.pem': '' }, 'crl.pem does not consist of PEM blocks that begin with'],
    ['a list that is none', { 'crl.pem': authority.cert }, 'crl.pem does not consist of PEM blocks that begin with'],
  ])('are not asked for by %s, nor are they read so later', async (_, content, message) => {
    const usable = { 'ca.pem': authority.cert, 'crl.pem': revocationList(authority, [foreign.cert]) }
    const directory = await files({ ...usable, ...content })
    const options = { clientCa: join(directory, 'ca.pem'), crl: join(directory, 'crl.pem') }
    await expect(serving(options)).rejects.toThrow(message)
    for (const [name, text] of Object.entries(usable)) await writeFile(join(directory, name), text)
    const { port, logger, subjects } = await serving(options)
    for (const [name, text] of Object.entries(content)) await writeFile(join(directory, name), text)
    await vi.waitFor(() => expect(logger.lines.map(({ level }) => level)).toEqual(['error']))
    expect([await get(port, valid), subjects]).toEqual([404, ['alice']])
  })
})

it('looks at its files while it listens, and leaves no timer behind', async () => {
  const [set, clear] = [vi.spyOn(globalThis, 'setInterval'), vi.spyOn(globalThis, 'clearInterval')]
  const looks = () => set.mock.calls.filter(([, ms]) => ms === 7).length
  const { server, directory, port } = await serving({ reloadMs: 7 })
  const [look] = set.mock.results.slice(-1)
  expect(looks()).toBe(1)
  server.close()
  await once(server, 'close')
  expect(clear).toHaveBeenCalledWith(look?.value)
  for (const [name, text] of [
    ['cert.pem', second.cert],
    ['key.pem', second.key],
  ] as const) {
    await writeFile(join(directory, name), text)
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  expect(looks()).toBe(2)
  await vi.waitFor(async () => expect(await shown(port)).toBe('second'))
  set.mockRestore()
  clear.mockRestore()
})
