import { once } from 'node:events'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { type RequestOptions, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, type SecureVersion } from 'node:tls'
import { generate } from 'selfsigned'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TlsOptions } from '../../src/adapters/tls-files.ts'
import { createTlsRegistryServer } from '../../src/adapters/tls-server.ts'
import { clientCertificate, identityAccess } from '../../src/auth/index.ts'
import { silentLogger } from '../../src/logger.ts'
import { newRegistry, recordingLogger } from '../http/support.ts'
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

/** The status, or why there is none. */
async function get(port: number, options: RequestOptions = {}): Promise<number | string | undefined> {
  const sent = request({
    ...{ host: '127.0.0.1', servername: 'localhost', port, path: '/v2/a/tags/list', ca: authority.cert, agent: false },
    ...options,
  })
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
async function shown(port: number, options: { maxVersion?: SecureVersion } = {}): Promise<string> {
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
      ['info', 'a changed certificate is in use'],
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

  it('refuses a certificate that has expired', async () => {
    await expect(serving({}, await pair('old', authority, { from: -3, to: -1 }))).rejects.toThrow(
      /has expired: it was valid until/,
    )
  })

  it.each<[object, string]>([
    [{ cert: undefined }, 'the option "tls.cert" must be the path of a PEM file, not undefined'],
    [{ key: '' }, 'the option "tls.key" must be the path of a PEM file'],
    [{ minVersion: '1.2' }, 'the option "tls.minVersion" must be one of'],
    [{ clientCertificates: 'request' }, 'need "tls.clientCa"'],
    [{ certificate: 'x' }, '"tls" has no option "certificate"'],
  ])('refuses the options %j', async (options, message) => {
    await expect(serving(options)).rejects.toThrow(message)
  })
})

describe('certificates of clients', () => {
  it.each<[string, Pair | undefined, TlsOptions['clientCertificates'], string | undefined]>([
    ['none', undefined, 'require', 'refused'],
    ['a valid one', valid, 'require', 'alice'],
    ['one of another authority', foreign, 'require', 'refused'],
    ['one that has expired', expired, 'require', 'refused'],
    ['one of their own', selfSigned, 'require', 'refused'],
    ['none', undefined, 'request', undefined],
    ['a valid one', valid, 'request', 'alice'],
    ['one of another authority', foreign, 'request', undefined],
    ['one that has expired', expired, 'request', undefined],
    ['one of their own', selfSigned, 'request', undefined],
  ])('%s, where one is to be shown (%3$s)', async (_, certificate, clientCertificates, expected) => {
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
      }),
    }
    const identity = expected && { subject: expected, groups: ['a', 'b'] }
    for (const raw of [{ socket }, { req: { socket } }, { raw: { socket } }]) {
      expect(await clientCertificate({ subject })({ raw } as never, {} as never)).toEqual(identity)
    }
    const open = { ...socket, authorized: false }
    expect(await clientCertificate({ subject })({ raw: { socket: open } } as never, {} as never)).toBeUndefined()
  })
})

it('leaves no timer behind', async () => {
  const clear = vi.spyOn(globalThis, 'clearInterval')
  const { server } = await serving({}, first, { ...recordingLogger(), ...silentLogger })
  server.close()
  await once(server, 'close')
  expect(clear).toHaveBeenCalled()
  clear.mockRestore()
})
