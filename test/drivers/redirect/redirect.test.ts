import { generateKeyPairSync } from 'node:crypto'
import { getSignedUrl } from '@aws-sdk/cloudfront-signer'
import { describe, expect, it } from 'vitest'
import { anyone } from '../../../src/auth/access.ts'
import { memory } from '../../../src/drivers/memory.ts'
import { baseUrl } from '../../../src/drivers/redirect/base-url.ts'
import { cloudFront } from '../../../src/drivers/redirect/cloud-front.ts'
import { type LocateObjectOptions, redirectTo } from '../../../src/drivers/redirect/redirect-to.ts'
import { createHandler } from '../../../src/http/handler.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { type StorageDriver, StorageUnavailableError } from '../../../src/storage/driver.ts'
import { wrapDriver } from '../../../src/storage/wrap-driver.ts'
import { read, requestOf } from '../../http/support.ts'

const KEY = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
const OPTIONS: LocateObjectOptions = { method: 'GET', expiresInMs: 60_000, signUrl: async () => undefined }
const KEYS = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
}

const pemOf = (key: (typeof KEYS)['rsa']) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

async function pullOver(driver: StorageDriver) {
  const registry = new Registry({ storage: driver, logger: silentLogger })
  const { digest } = await registry.repository('team/app').blobs.put(Buffer.from('layer'))
  const handler = createHandler(registry, { access: anyone(), logger: silentLogger })
  const pulled = await handler({ ...requestOf('GET', `/v2/team/app/blobs/${digest}`), remoteAddress: '192.0.2.7' })
  if (pulled === undefined) throw new Error('not for a registry')
  const hex = digest.slice('sha256:'.length)
  const { status, headers, text } = await read(pulled)
  return { digest, key: `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`, status, headers, text }
}

describe('redirectTo', () => {
  it('sends a pull to where the object is found, and tells its digest', async () => {
    const pulled = await pullOver(redirectTo(memory(), baseUrl('https://cdn.example.com/images')))
    expect(pulled.status).toBe(307)
    expect(pulled.headers.location).toBe(`https://cdn.example.com/images/${pulled.key}`)
    expect(pulled.headers['docker-content-digest']).toBe(pulled.digest)
  })

  it('sends the bytes through the registry where there is no URL', async () => {
    const pulled = await pullOver(redirectTo(memory(), () => undefined))
    expect([pulled.status, pulled.text]).toEqual([200, 'layer'])
  })

  it('can give what the driver signs, client by client', async () => {
    const signing = wrapDriver(memory(), { signUrl: async () => new URL('https://store.example.com/signed') })
    const asked: (string | undefined)[] = []
    const driver = redirectTo(signing, async (_, { remoteAddress, method, signUrl }) => {
      asked.push(remoteAddress, method)
      return signUrl()
    })
    expect((await pullOver(driver)).headers.location).toBe('https://store.example.com/signed')
    expect(asked).toEqual(['192.0.2.7', 'GET'])
  })

  it('is an outage where the driver cannot reach what signs', async () => {
    const driver = redirectTo(memory(), () => {
      throw new StorageUnavailableError('no key to be had', { retryAfterSeconds: 3 })
    })
    const pulled = await pullOver(driver)
    expect([pulled.status, pulled.headers['retry-after']]).toEqual([503, '3'])
  })

  it('refuses what is no function', () => {
    expect(() => redirectTo(memory(), 'https://cdn.example.com' as never)).toThrow(/takes a driver and a function/)
  })
})

describe('baseUrl', () => {
  it.each(['https://cdn.example.com', 'https://cdn.example.com/', new URL('https://cdn.example.com')])(
    'puts the key behind %s',
    async (base) => {
      expect(String(await baseUrl(base)(KEY, OPTIONS))).toBe(`https://cdn.example.com/${KEY}`)
    },
  )

  it.each([
    '',
    'cdn.example.com',
    'ftp://cdn.example.com',
    'https://cdn.example.com/?a=b',
    'https://a:b@cdn.example.com',
  ])('refuses %j', (base) => expect(() => baseUrl(base)).toThrow(/needs a URL without a query/))

  it('takes http: only where that is said', async () => {
    expect(() => baseUrl('http://cdn.example.com')).toThrow(/needs an https: URL, or allowHttp: true/)
    const locate = baseUrl('http://cdn.example.com', { allowHttp: true })
    expect(String(await locate(KEY, OPTIONS))).toBe(`http://cdn.example.com/${KEY}`)
  })
})

describe('cloudFront', () => {
  const base = 'https://d111111abcdef8.cloudfront.net/registry'

  it.each([KEYS.rsa, pemOf(KEYS.rsa)])('signs as the SDK of AWS does', async (privateKey) => {
    const url = await cloudFront({ baseUrl: base, keyPairId: 'K2JCJMDEHXQW5F', privateKey })(KEY, OPTIONS)
    const expires = Number(url?.searchParams.get('Expires'))
    expect(Math.abs(expires * 1000 - Date.now() - 60_000)).toBeLessThan(30_000)
    const theirs = getSignedUrl({
      url: `${base}/${KEY}`,
      keyPairId: 'K2JCJMDEHXQW5F',
      privateKey: pemOf(KEYS.rsa),
      dateLessThan: new Date(expires * 1000),
    })
    expect(String(url)).toBe(theirs)
  })

  it('signs with an ECDSA key, too', async () => {
    const url = await cloudFront({ baseUrl: base, keyPairId: 'K1', privateKey: KEYS.ec })(KEY, OPTIONS)
    expect(url?.searchParams.get('Signature')).toMatch(/^[A-Za-z0-9~_-]{90,}$/)
  })

  it.each([
    [{ keyPairId: '' }, /needs a keyPairId/],
    [{ privateKey: 'no key' }, /needs a privateKey in PEM/],
    [{ privateKey: generateKeyPairSync('ed25519').privateKey }, /RSA or ECDSA over P-256/],
    [{ baseUrl: 'd111111abcdef8.cloudfront.net' }, /needs a URL without a query/],
    [{ keyPair: 'K1' }, /has no option "keyPair": did you mean "keyPairId"/],
  ])('refuses %o', (wrong, message) => {
    expect(() => cloudFront({ baseUrl: base, keyPairId: 'K1', privateKey: KEYS.rsa, ...wrong })).toThrow(message)
  })
})
