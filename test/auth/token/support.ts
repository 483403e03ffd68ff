import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { matching, type TokenKeys, trustedKey } from '../../../src/auth/token/trusted-key.ts'

/** A key pair made for this run. */
export interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const EC: Pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const OTHER_EC: Pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const RSA: Pair = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** 2026-01-01T00:00:00Z. */
export const NOW = 1_767_225_600

export const SERVICE = 'registry.test'
export const ISSUER = 'https://issuer.test'

export interface TokenFields {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly key?: KeyObject | Uint8Array
}

/** A token that is good, but for what is said; `undefined` takes a claim away. */
export async function token({ claims = {}, header = {}, key = EC.privateKey }: TokenFields = {}): Promise<string> {
  const access = [{ type: 'repository', name: 'team/app', actions: ['pull'] }]
  const all = { iss: ISSUER, sub: 'alice', aud: SERVICE, iat: NOW, nbf: NOW, exp: NOW + 300, access, ...claims }
  return new SignJWT(all).setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...header }).sign(key, { crit: { x: true } })
}

export function keysOf(...keys: readonly KeyObject[]): TokenKeys {
  const trusted = keys.map((key) => trustedKey(key))
  return { find: async (hint) => matching(trusted, hint) }
}

export function jwkOf(key: KeyObject, more: object = {}): JsonWebKey {
  return { ...key.export({ format: 'jwk' }), ...more }
}

/** Made by hand: what no library would sign. */
export function handmade(header: object, claims: object, signature = 'AAAA'): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode(header)}.${encode(claims)}.${signature}`
}
