import { createPrivateKey, type KeyLike, sign } from 'node:crypto'
import { checkOptions, type OptionNames } from '../../arguments.ts'
import { type BaseUrlOptions, checkBaseUrl } from './base-url.ts'
import type { LocateObject } from './redirect-to.ts'

export interface CloudFrontOptions extends BaseUrlOptions {
  /** Of the distribution, with what stands in front of the driver's keys: `https://d111111abcdef8.cloudfront.net/registry`. */
  readonly baseUrl: string | URL
  /** Of the public key that CloudFront knows. */
  readonly keyPairId: string
  /** PEM, or a key object: RSA, or ECDSA over P-256. */
  readonly privateKey: KeyLike
}

const CLOUD_FRONT_OPTIONS: OptionNames<CloudFrontOptions> = {
  allowHttp: true,
  baseUrl: true,
  keyPairId: true,
  privateKey: true,
}

/**
 * URLs that Amazon CloudFront serves until they expire, for `redirectTo`; others may verify them by the same rules: a canned
 * policy, signed with SHA-1, as CloudFront demands. As Distribution's storage middleware `cloudfront`.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
 * @throws TypeError for options that make no sense, a key that cannot be read among them
 */
export function cloudFront(options: CloudFrontOptions): LocateObject {
  checkOptions('cloudFront()', options, CLOUD_FRONT_OPTIONS)
  const { keyPairId } = options
  const folder = checkBaseUrl('cloudFront()', options.baseUrl, options)
  if (typeof keyPairId !== 'string' || keyPairId === '') throw new TypeError('cloudFront() needs a keyPairId')
  const key = readKey(options.privateKey)
  return (name, { expiresInMs }) => {
    const url = new URL(name, folder)
    const expires = Math.ceil((Date.now() + expiresInMs) / 1000)
    const policy = { Statement: [{ Resource: url.href, Condition: { DateLessThan: { 'AWS:EpochTime': expires } } }] }
    const signature = sign('sha1', Buffer.from(JSON.stringify(policy)), key).toString('base64')
    // Appended as text: the characters that CloudFront puts in place of base64's own need no escape.
    url.search = `?Expires=${expires}&Key-Pair-Id=${encodeURIComponent(keyPairId)}&Signature=${safe(signature)}`
    return url
  }
}

function safe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('=', '_').replaceAll('/', '~')
}

function readKey(key: KeyLike) {
  let read: ReturnType<typeof createPrivateKey>
  try {
    read = typeof key === 'object' && 'type' in key ? key : createPrivateKey(key)
  } catch (error) {
    throw new TypeError('cloudFront() needs a privateKey in PEM', { cause: error })
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails } = read
  const fits = type === 'rsa' || (type === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1')
  if (read.type !== 'private' || !fits) {
    throw new TypeError('cloudFront() needs a private key, RSA or ECDSA over P-256: CloudFront takes no other')
  }
  return read
}
