import { createPublicKey, X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import { generate } from 'selfsigned'
import { beforeAll, describe, expect, it } from 'vitest'
import { type TokenIssuerOptions, tokenIssuer } from '../../../src/auth/issuer/token-issuer.ts'
import { certificates } from '../../../src/auth/token/certificates.ts'
import { tokenAccess } from '../../../src/auth/token/token-access.ts'
import { rfc7638Thumbprint } from '../../../src/auth/token/trusted-key.ts'
import { silentLogger } from '../../../src/logger.ts'
import { client } from '../../http/support.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()
const AUTHORITY = [{ name: 'basicConstraints', cA: true, critical: true } as const]

interface Pem {
  readonly cert: string
  readonly private: string
}

async function certificate(name: string, by?: Pem, extensions: typeof AUTHORITY | [] = []): Promise<Pem> {
  const ca = by && { ca: { cert: by.cert, key: by.private } }
  return generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256', extensions, ...ca })
}

describe('a key with certificates', () => {
  let root: Pem
  let between: Pem
  let leaf: Pem
  let stranger: Pem
  beforeAll(async () => {
    root = await certificate('root', undefined, AUTHORITY)
    between = await certificate('between', root, AUTHORITY)
    leaf = await certificate('leaf', between)
    stranger = await certificate('stranger', undefined, AUTHORITY)
  })

  async function tokenOf(keys: NonNullable<TokenIssuerOptions['keys']>): Promise<string> {
    const issuer = tokenIssuer({ keys, check: ({ username }) => ({ subject: username }) })
    const headers = { authorization: `Basic ${Buffer.from('alice:x').toString('base64')}` }
    const { text } = await client({ access: issuer }).get('/v2/_wharfage/token?scope=repository:a:pull', headers)
    return JSON.parse(text).token
  }

  /** Of another registry, which trusts a bundle and has never seen the key. */
  async function statusAt(bundle: string, token: string): Promise<number> {
    const file = join(await temporaryDirectory(), 'bundle.pem')
    await writeFile(file, bundle)
    const access = tokenAccess({
      ...{ service: 'wharfage', realm: 'http://registry.test/v2/_wharfage/token' },
      issuers: [{ issuer: 'wharfage', keys: certificates({ file, logger: silentLogger }) }],
    })
    return (await client({ access }).get('/v2/a/tags/list', { authorization: `Bearer ${token}` })).status
  }

  it('signs for registries that trust the authority alone', async () => {
    const token = await tokenOf({ key: leaf.private, certificates: `${leaf.cert}\n${between.cert}` })
    expect(decodeProtectedHeader(token)).toEqual({
      ...{ alg: 'ES256', typ: 'JWT', kid: rfc7638Thumbprint(createPublicKey(leaf.cert)) },
      x5c: [leaf, between].map(({ cert }) => new X509Certificate(cert).raw.toString('base64')),
    })
    expect(await statusAt(root.cert, token)).toBe(404) // there are no tags
    expect(await statusAt(stranger.cert, token)).toBe(401)
  })

  it('is named as Distribution names it, where the certificate itself is trusted', async () => {
    const token = await tokenOf(leaf.private)
    expect(decodeProtectedHeader(token)).not.toHaveProperty('x5c')
    expect(await statusAt(leaf.cert, token)).toBe(404)
    expect(await statusAt(root.cert, token)).toBe(401)
  })

  it('goes through the tokens of its own registry as well', async () => {
    const keys = { key: leaf.private, certificates: leaf.cert }
    const access = tokenIssuer({ keys, check: ({ username }) => ({ subject: username }) })
    const authorization = `Bearer ${await tokenOf(keys)}`
    expect((await client({ access }).get('/v2/a/tags/list', { authorization })).status).toBe(404)
  })

  it.each<[string, () => string, string]>([
    ['of another key', () => between.cert, 'the first of the certificates must be that of the key which signs tokens'],
    [
      'in another order',
      () => `${between.cert}\n${leaf.cert}`,
      'the first of the certificates must be that of the key',
    ],
    ['that are none', () => 'leaf.pem', 'the first of the certificates must be that of the key'],
    [
      'that cannot be read',
      () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      'the certificates of a key that signs tokens must be in PEM',
    ],
    [
      'in no text',
      () => new X509Certificate(leaf.cert) as unknown as string,
      'the certificates of a key that signs tokens must be in PEM, not an instance of X509Certificate',
    ],
  ])('takes no certificates %s', (_, pem, message) => {
    const make = () => tokenIssuer({ keys: { key: leaf.private, certificates: pem() } })
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})
