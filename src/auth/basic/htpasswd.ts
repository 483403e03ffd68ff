import { createHash } from 'node:crypto'
import { checkAmount, checkOptions, kindOf } from '../../arguments.ts'
import type { Logger } from '../../logger.ts'
import type { CheckCredentials, Credentials, Identity } from '../identity.ts'
import { watchedFile } from '../watched-file.ts'
import { HashQueue } from './hash-queue.ts'
import { type HtpasswdFile, parseHtpasswd } from './htpasswd-file.ts'
import { VerifiedCredentials } from './verified-credentials.ts'

/** Whether a password has a hash; asynchronous, and off the event loop. */
export type CompareHash = (password: string, hash: string) => Promise<boolean>

export interface HtpasswdOptions {
  /** As `htpasswd -B` writes it. Looked at again when it changes, once a second at most. */
  readonly file: string | URL
  /**
   * For how long a password that was right is not hashed again, in milliseconds; a user who is taken out of the file, or given another
   * password, is out at once. Default: 60,000.
   */
  readonly cacheMs?: number
  /** How many are hashed at once. Hashing shares Node's four threads with the files of the registry. Default: 2. */
  readonly concurrency?: number
  /** How many wait for that, before more are refused with 429. Default: 100. */
  readonly maxWaiting?: number
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
  /** @internal */
  readonly compare?: CompareHash
  /** @internal Milliseconds of a clock that only goes forward. */
  readonly now?: () => number
}

/** Checks a name and a password. */
export interface Htpasswd extends CheckCredentials {
  (...given: Parameters<CheckCredentials>): Promise<Identity | undefined>
  /** Whoever is in the file by that name, for `tokenIssuer({ check: users, identity: users.identity })`. */
  identity(subject: string): Promise<Identity | undefined>
  /** Reads the file now. @throws `Error` naming what is wrong with it */
  ready(): Promise<void>
}

/** Of a file of 100,000 users. */
const MAX_FILE_BYTES = 16 * 1024 * 1024

const MAX_CACHED = 10_000

/** What bcrypt looks at; it would take two longer ones that begin alike for the same. */
const MAX_PASSWORD_BYTES = 72

/**
 * Users of an htpasswd file. A refusal costs as much as the costliest line, whatever the name: how long it takes tells nobody who is in it.
 * Passwords of more than 72 bytes are wrong, as bcrypt cannot tell them apart.
 *
 * Needs the package `bcrypt`.
 *
 * @throws `TypeError` for options that make no sense. What is wrong with the file is thrown when it is needed.
 */
export function htpasswd(options: HtpasswdOptions): Htpasswd {
  const { file, cacheMs, concurrency, maxWaiting, logger, compare, now } = checked(options)
  const users = watchedFile({ file, parse: parseHtpasswd, maxBytes: MAX_FILE_BYTES, logger, now })
  const verified = new VerifiedCredentials({ ttlMs: cacheMs, maxEntries: MAX_CACHED, now })
  const queue = new HashQueue(concurrency, maxWaiting)
  /** A client's first requests come together: one hash is enough for them. */
  const running = new Map<string, Promise<boolean>>()

  const verify = async (key: string, password: string, hash: string, maxCost: number): Promise<boolean> => {
    const isRight = await queue.run(async () => {
      if (await compare(password, hash)) return true
      // Each step of cost is twice the work, so that these add up to what the costliest line takes: 2^c + 2^c + … + 2^(max-1) = 2^max.
      for (let cost = costOf(hash); cost < maxCost; cost++) await compare(password, dummyHash(cost))
      return false
    })
    if (isRight) verified.add(key)
    return isRight
  }

  const check: CheckCredentials = async ({ username, password }) => {
    const file = await users.current()
    const hash = hashFor(file, { username, password })
    const key = verified.keyOf(username, password, hash ?? '')
    if (hash !== undefined && verified.has(key)) return identityOf(username, hash)
    let result = running.get(key)
    if (result === undefined) {
      result = verify(key, password, hash ?? dummyHash(file.maxCost), file.maxCost).finally(() => running.delete(key))
      running.set(key, result)
    }
    const isRight = await result
    return isRight && hash !== undefined ? identityOf(username, hash) : undefined
  }
  return Object.assign(check as Htpasswd, {
    identity: async (subject: string) => {
      const hash = (await users.current()).hashes.get(subject)
      return hash === undefined ? undefined : identityOf(subject, hash)
    },
    ready: async () => void (await users.current()),
  })
}

function identityOf(subject: string, hash: string): Identity {
  return { subject, revision: createHash('sha256').update(hash).digest('base64url') }
}

function hashFor({ hashes }: HtpasswdFile, { username, password }: Credentials): string | undefined {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES || password.includes('\0')) return undefined
  return hashes.get(username)
}

/** Of a hash as {@link parseHtpasswd} has it. */
function costOf(hash: string): number {
  return Number(hash.slice(4, 6))
}

/** Nobody's. */
function dummyHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`
}

async function compareWithBcrypt(password: string, hash: string): Promise<boolean> {
  const { default: bcrypt } = await import('bcrypt').catch((cause: unknown) => {
    throw new Error('htpasswd files need the package "bcrypt": npm install bcrypt', { cause })
  })
  return bcrypt.compare(password, hash)
}

function checked(options: HtpasswdOptions) {
  checkOptions('htpasswd()', options, {
    ...{ file: true, cacheMs: true, concurrency: true, maxWaiting: true, logger: true },
    ...{ compare: false, now: false },
  })
  const { file, cacheMs = 60_000, concurrency = 2, maxWaiting = 100, logger } = options ?? {}
  if ((typeof file !== 'string' || file === '') && !(file instanceof URL)) {
    throw new TypeError(`the option "file" must be the path of an htpasswd file, not ${kindOf(file)}`)
  }
  checkAmount('cacheMs', cacheMs)
  checkAmount('maxWaiting', maxWaiting)
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new TypeError(`the option "concurrency" must be a positive integer, not ${kindOf(concurrency)}`)
  }
  const { compare = compareWithBcrypt, now = () => performance.now() } = options
  return { file, cacheMs, concurrency, maxWaiting, logger, compare, now }
}
