import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { generate } from 'selfsigned'
import { afterEach, describe, expect, it } from 'vitest'
import { certificates } from '../../../src/auth/token/certificates.ts'
import { jwksFile } from '../../../src/auth/token/jwks-file.ts'
import { type JwksUrlOptions, jwksUrl } from '../../../src/auth/token/jwks-url.ts'
import { keysOfJwks, libtrustFingerprint, rfc7638Thumbprint } from '../../../src/auth/token/trusted-key.ts'
import { silentLogger } from '../../../src/logger.ts'
import { recordingLogger } from '../../http/support.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { EC, jwkOf, OTHER_EC, RSA } from './support.ts'

const temporaryDirectory = temporaryDirectories()
const ES = { alg: 'ES256' }
const jwks = (...keys: object[]) => JSON.stringify({ keys })

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

describe('key ids', () => {
  it('are RFC 7638 thumbprints', async () => {
    for (const key of [EC.publicKey, RSA.publicKey]) {
      expect(rfc7638Thumbprint(key)).toBe(
        await calculateJwkThumbprint({ ...key.export({ format: 'jwk' }), kty: keyType(key) }),
      )
    }
    // The example of the RFC, section 3.1.
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    const [key] = keysOfJwks(jwks({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' }))
    expect([...(key?.ids ?? [])]).toContain('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
    expect([...(key?.ids ?? [])]).toContain('2011-04-29')
  })

  it('are libtrust fingerprints', () => {
    expect(libtrustFingerprint(EC.publicKey)).toMatch(/^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$/)
    expect(libtrustFingerprint(EC.publicKey)).not.toBe(libtrustFingerprint(OTHER_EC.publicKey))
    // The example of Docker's own specification of signed manifests.
    const x = '3gAwX48IQ5oaYQAYSxor6rYYc_6yjuLCjtQ9LUakg4A'
    const y = 't72ge6kIA1XOjqjVoEOiPPAURltJFBMGDSQvEGVB010'
    const [key] = keysOfJwks(jwks({ kty: 'EC', crv: 'P-256', x, y }))
    expect([...(key?.ids ?? [])]).toContain('OD6I:6DRK:JXEJ:KBM4:255X:NSAA:MUSF:E4VM:ZI6W:CUN2:L4Z6:LSF4')
  })

  it('choose among keys, and none does by algorithm', async () => {
    const file = join(await temporaryDirectory(), 'jwks.json')
    await writeFile(file, jwks(jwkOf(EC.publicKey, { kid: 'first' }), jwkOf(OTHER_EC.publicKey), jwkOf(RSA.publicKey)))
    const keys = jwksFile({ file, logger: silentLogger })
    const found = async (hint: Parameters<typeof keys.find>[0]) =>
      (await keys.find(hint)).map(({ key }) => [EC, OTHER_EC, RSA].findIndex(({ publicKey }) => publicKey.equals(key)))
    expect(await found(ES)).toEqual([0, 1])
    expect(await found({ alg: 'RS256' })).toEqual([2])
    expect(await found({ ...ES, kid: 'first' })).toEqual([0])
    expect(await found({ ...ES, kid: rfc7638Thumbprint(OTHER_EC.publicKey) })).toEqual([1])
    expect(await found({ ...ES, kid: libtrustFingerprint(OTHER_EC.publicKey) })).toEqual([1])
    expect(await found({ alg: 'RS256', kid: 'first' })).toEqual([])
    expect(await found({ ...ES, kid: 'second' })).toEqual([])
  })
})

describe('keysOfJwks', () => {
  it.each([
    ['', 'not JSON: expected a JSON Web Key Set'],
    ['[]', 'expected a JSON Web Key Set: { "keys": […] }'],
    ['null', 'expected a JSON Web Key Set: { "keys": […] }'],
    [jwks({ kty: 'oct', k: 'AAAA' }), 'keys[0] is a shared secret: tokens need a key pair'],
    [jwks(jwkOf(EC.publicKey), jwkOf(EC.privateKey)), 'keys[1] is a private key: only its public half belongs here'],
    [jwks({ kty: 'EC', crv: 'P-256' }), 'keys[0] cannot be used: '],
    [jwks(jwkOf(EC.publicKey, { alg: 'RS256' })), 'keys[0] cannot be used: a key of type ec for RS256 cannot be used'],
    ['{"keys":[null]}', 'keys[0] cannot be used: '],
    [jwks(jwkOf(EC.publicKey, { use: 'enc' }), { kty: 'oct', k: 'AAAA' }), 'keys[1] is a shared secret'],
  ])('refuses %s', (text, message) => {
    expect(() => keysOfJwks(text)).toThrow(message)
  })

  it('leaves out keys for encryption', () => {
    expect(
      keysOfJwks(jwks(jwkOf(EC.publicKey, { use: 'enc' }), jwkOf(OTHER_EC.publicKey, { use: 'sig' }))).length,
    ).toBe(1)
    const forEncryption = jwkOf(RSA.publicKey, { key_ops: ['encrypt'] })
    expect(keysOfJwks(jwks(forEncryption, jwkOf(EC.publicKey, { key_ops: ['verify'] }))).length).toBe(1)
  })
})

describe('jwksUrl', () => {
  /** Publishes what `state` holds, and counts who comes for it. */
  async function publisher(options: Partial<JwksUrlOptions> = {}) {
    const state = { body: jwks(jwkOf(EC.publicKey, { kid: 'one' })), status: 200, headers: {}, fetches: 0 }
    let held: ((answer: () => void) => void) | undefined
    const server = createServer((_, response) => {
      state.fetches++
      const answer = () => void response.writeHead(state.status, state.headers).end(state.body)
      if (held === undefined) answer()
      else held(answer)
    })
    /** Answers the next fetch when it is told to. */
    const hang = () => {
      let answer = () => {}
      const arrived = new Promise<void>((resolve) => {
        held = (later) => {
          held = undefined
          answer = later
          resolve()
        }
      })
      return { arrived, answer: () => answer() }
    }
    closers.push(() => server.close().closeAllConnections())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const clock = { now: 0 }
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
    const keys = jwksUrl({ url, logger: silentLogger, now: () => clock.now, ...options })
    const has = async (kid: string) => (await keys.find({ ...ES, kid })).length === 1
    return { state, clock, keys, has, hang, url }
  }

  it('fetches once for many, and not before it has to', async () => {
    const { state, has } = await publisher()
    expect(state.fetches).toBe(0)
    expect(await Promise.all(Array.from({ length: 20 }, () => has('one')))).not.toContain(false)
    expect(state.fetches).toBe(1)
  })

  it('finds a new key at once, and lets go of one that was taken away', async () => {
    const { state, has, clock } = await publisher()
    await has('one')
    clock.now = 30_000
    state.body = jwks(jwkOf(OTHER_EC.publicKey, { kid: 'two' }))
    expect(await has('two')).toBe(true)
    expect(await has('one')).toBe(false)
  })

  it('N16: is not made to fetch by unknown keys', async () => {
    const { state, has, clock } = await publisher()
    for (let i = 0; i < 100; i += 1) expect(await has(`unknown-${i}`)).toBe(false)
    expect(state.fetches).toBe(1)
    clock.now = 29_999
    await has('unknown')
    expect(state.fetches).toBe(1)
    clock.now = 30_000
    for (let i = 0; i < 100; i += 1) await has(`unknown-${i}`)
    expect(state.fetches).toBe(2)
  })

  it('keeps its keys while nobody answers, and looks again when they are old', async () => {
    const { state, has, clock } = await publisher()
    await has('one')
    state.status = 503
    clock.now = 3_600_000
    expect(await has('one')).toBe(true)
    expect(state.fetches).toBe(2)
    expect(await has('one')).toBe(true)
    expect(state.fetches).toBe(2)
    state.status = 200
    state.body = jwks(jwkOf(OTHER_EC.publicKey, { kid: 'two' }))
    clock.now += 30_000
    expect(await has('one')).toBe(false)
  })

  it('cannot tell of a key that it does not know while nobody answers', async () => {
    const { state, has, clock } = await publisher()
    await has('one')
    state.status = 503
    clock.now = 30_000
    await expect(has('two')).rejects.toThrow(/the keys of .* could not be fetched/)
    await expect(has('two')).rejects.toThrow(/the keys of .* could not be fetched/)
    expect(await has('one')).toBe(true)
    state.status = 200
    clock.now += 30_000
    expect(await has('two')).toBe(false)
  })

  it('holds up nobody whose key it has while it looks again', async () => {
    const { has, clock, hang } = await publisher()
    await has('one')
    clock.now = 3_600_000
    const { arrived, answer } = hang()
    const first = has('one')
    await arrived
    expect(await has('one')).toBe(true)
    answer()
    expect(await first).toBe(true)
  })

  it.each([
    ['a kind that nobody knows yet', { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA' }],
    ['another curve', { kty: 'OKP', crv: 'X25519', x: 'hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo' }],
    ['another algorithm', jwkOf(RSA.publicKey, { alg: 'RSA-OAEP' })],
    ['a shared secret', { kty: 'oct', k: 'AAAA' }],
    ['a private key', jwkOf(OTHER_EC.privateKey, { kid: 'leaked' })],
    ['nothing', null],
  ])('takes the others where a published key is of no use: %s', async (_, key) => {
    const logger = recordingLogger()
    const { state, has } = await publisher({ logger })
    state.body = jwks(key as object, jwkOf(EC.publicKey, { kid: 'one' }))
    expect(await has('one')).toBe(true)
    expect(await has('leaked')).toBe(false)
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', expect.stringMatching(/^a key of http:.* is left out$/)],
    ])
  })

  it('trusts nobody where the keys were taken away', async () => {
    const { state, has, clock } = await publisher()
    expect(await has('one')).toBe(true)
    state.body = jwks()
    clock.now = 3_600_000
    expect(await has('one')).toBe(false)
  })

  it.each([
    ['an error', { status: 500 }],
    ['nothing', { body: '' }],
    ['a page', { body: '<html>' }],
    ['too much', { body: `${jwks()}${' '.repeat(1024 * 1024)}` }],
    ['another place', { status: 302, headers: { location: 'http://127.0.0.1:9/jwks.json' } }],
  ])('cannot tell where the answer is %s', async (_, answer) => {
    const { state, has } = await publisher()
    Object.assign(state, answer)
    await expect(has('one')).rejects.toThrow(/the keys of .* could not be fetched/)
  })

  it.each(['ftp://a/jwks', 'http://issuer.test/jwks', 'https://a:secret@issuer.test/jwks', 'jwks.json', undefined])(
    'refuses the URL %s, and does not repeat it',
    (url) => {
      expect(() => jwksUrl({ url: url as string })).toThrow(
        /^the option "url" must be an https: URL without a user name and a password$/,
      )
    },
  )
})

describe('certificates', () => {
  /** What an authority vouches for: a leaf, by way of another authority. */
  async function authority(name: string, { days = 1 } = {}) {
    const notBeforeDate = new Date(Date.now() - 60_000)
    const dates = { notBeforeDate, notAfterDate: new Date(notBeforeDate.getTime() + days * 86_400_000) }
    const common = { keyType: 'ec', algorithm: 'sha256', ...dates } as const
    const extensions = [{ name: 'basicConstraints', cA: true, critical: true } as const]
    const root = await generate([{ name: 'commonName', value: `${name} root` }], { ...common, extensions })
    const between = await generate([{ name: 'commonName', value: `${name} between` }], {
      ...{ ...common, extensions, ca: { cert: root.cert, key: root.private } },
    })
    const leafBy = (cert: string, key: string) =>
      generate([{ name: 'commonName', value: `${name} leaf` }], {
        ...{ ...common, extensions: [{ name: 'basicConstraints', cA: false }], ca: { cert, key } },
      })
    const direct = await leafBy(root.cert, root.private)
    const leaf = await leafBy(between.cert, between.private)
    const byLeaf = await leafBy(leaf.cert, leaf.private)
    return { root: root.cert, between: between.cert, leaf: leaf.cert, direct: direct.cert, byLeaf: byLeaf.cert }
  }
  const der = (...pems: string[]) => pems.map((pem) => new X509Certificate(pem).raw.toString('base64'))

  it('takes the key that a chain leads to, if it ends in one of them', async () => {
    const ours = await authority('ours')
    const theirs = await authority('theirs')
    const file = join(await temporaryDirectory(), 'bundle.pem')
    await writeFile(file, `some words\n${theirs.root}\n${ours.root}`)
    await writeFile(file, ours.root)
    const date = { ms: Date.now() }
    const keys = certificates({ file, logger: silentLogger, date: () => date.ms })
    const leads = async (...x5c: string[]) => (await keys.find({ ...ES, x5c })).length
    expect(await leads(...der(ours.direct))).toBe(1)
    expect(await leads(...der(ours.leaf, ours.between))).toBe(1)
    expect(await leads(...der(ours.leaf, ours.between, ours.root))).toBe(1)
    expect(await leads(...der(ours.root))).toBe(1)
    expect(await leads(...der(ours.leaf))).toBe(0)
    expect(await leads(...der(theirs.leaf, theirs.between, theirs.root))).toBe(0)
    expect(await leads(...der(theirs.leaf, ours.between, ours.root))).toBe(0)
    expect(await leads(...der(ours.byLeaf, ours.leaf, ours.between))).toBe(0)
    expect(await leads('AAAA')).toBe(0)
    expect(await leads()).toBe(0)
    expect(await leads(...der(...Array<string>(11).fill(ours.direct)))).toBe(0)
    date.ms += 2 * 86_400_000
    expect(await leads(...der(ours.leaf, ours.between))).toBe(0)
    date.ms -= 4 * 86_400_000
    expect(await leads(...der(ours.leaf, ours.between))).toBe(0)
  })

  it('takes their own keys by name', async () => {
    const { root } = await authority('ours')
    const file = join(await temporaryDirectory(), 'bundle.pem')
    await writeFile(file, root)
    const keys = certificates({ file, logger: silentLogger })
    const { publicKey } = new X509Certificate(root)
    for (const kid of [rfc7638Thumbprint(publicKey), libtrustFingerprint(publicKey)]) {
      expect((await keys.find({ ...ES, kid })).map(({ key }) => key.equals(publicKey))).toEqual([true])
    }
    expect(await keys.find({ ...ES, kid: 'unknown' })).toEqual([])
  })

  it('says what is no bundle', async () => {
    const file = join(await temporaryDirectory(), 'bundle.pem')
    await writeFile(file, 'no certificate')
    await expect(certificates({ file, logger: silentLogger }).find(ES)).rejects.toThrow(
      `${file}: expected certificates in PEM: -----BEGIN CERTIFICATE-----`,
    )
  })
})

function keyType(key: { readonly asymmetricKeyType?: string }): string {
  return key.asymmetricKeyType === 'rsa' ? 'RSA' : 'EC'
}
