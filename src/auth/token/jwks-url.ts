import { checkOptions, kindOf } from '../../arguments.ts'
import { readAll } from '../../bytes.ts'
import { consoleLogger, type Logger } from '../../logger.ts'
import { MAX_JWKS_BYTES } from './jwks-file.ts'
import { keysOfJwks, matching, type TokenKeys, type TrustedKey } from './trusted-key.ts'

export interface JwksUrlOptions {
  /** `https:`, or `http:` on this machine. Never followed to another place. */
  readonly url: string | URL
  /** How old the set may become, in milliseconds; a key that is taken out of it is trusted no longer. Default: an hour. */
  readonly maxAgeMs?: number
  /** How long nothing is fetched again, whatever unknown keys tokens name, in milliseconds. Default: 30,000. */
  readonly cooldownMs?: number
  /** How long a fetch may take, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
  /** @internal */
  readonly now?: () => number
}

/**
 * Keys of an issuer, from where it publishes them: fetched when the first token comes, again when they are old, and when a token names one
 * that is not among them. While it is down, they stay in use.
 */
export function jwksUrl(options: JwksUrlOptions): TokenKeys {
  const { url, maxAgeMs, cooldownMs, timeoutMs, logger, now } = checked(options)
  return remoteKeys({
    load: () => fetchKeys(url, timeoutMs, logger),
    ...{ name: url.href, maxAgeMs, cooldownMs, logger, now },
  })
}

/** @internal Keys that are had by asking somebody. */
export function remoteKeys(options: {
  readonly load: () => Promise<readonly TrustedKey[]>
  readonly name: string
  readonly maxAgeMs: number
  readonly cooldownMs: number
  readonly logger: Logger
  readonly now: () => number
}): TokenKeys {
  const { load, name, maxAgeMs, cooldownMs, logger, now } = options
  let keys: readonly TrustedKey[] | undefined
  let loadedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let problem: unknown
  let loading: Promise<void> | undefined

  const refresh = async (): Promise<void> => {
    if (loading === undefined) {
      if (now() - triedAt < cooldownMs) return
      triedAt = now()
      loading = load()
        .then((loaded) => {
          keys = loaded
          loadedAt = now()
          problem = undefined
        })
        .catch((error: unknown) => {
          problem = error
          logger.error({ err: error }, `the keys of ${name} could not be fetched`)
        })
        .finally(() => {
          loading = undefined
        })
    }
    await loading
  }

  return {
    find: async (hint) => {
      // One looks again; whoever has a key that is known need not wait for an answer that may never come.
      const isOld = now() - loadedAt >= maxAgeMs
      if (isOld && (loading === undefined || keys === undefined)) await refresh()
      const found = matching(keys ?? [], hint)
      if (found.length > 0) return found
      await refresh()
      const fetched = matching(keys ?? [], hint)
      // It may be a new one: nobody can tell.
      if (fetched.length === 0 && problem !== undefined) {
        throw new Error(`the keys of ${name} could not be fetched`, { cause: problem })
      }
      return fetched
    },
  }
}

/** @throws `Error` for anything but a JSON Web Key Set; a key of it that cannot be used is logged, and left out */
export async function fetchKeys(url: URL, timeoutMs: number, logger: Logger): Promise<readonly TrustedKey[]> {
  return keysOfJwks(await fetchText(url, timeoutMs), (err) => logger.warn({ err }, `a key of ${url.href} is left out`))
}

/** @throws `Error` for anything but 200 */
export async function fetchText(url: URL, timeoutMs: number): Promise<string> {
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
    headers: { accept: 'application/json, application/jwk-set+json' },
  })
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel()
    throw new Error(`${url.href} answered ${response.status}`)
  }
  const content = await readAll(response.body, MAX_JWKS_BYTES)
  if (content === undefined) throw new Error(`${url.href} answered more than ${MAX_JWKS_BYTES} bytes`)
  return new TextDecoder('utf-8', { fatal: true }).decode(content)
}

/** @throws `TypeError` for a URL that everybody on the way could answer for */
export function checkKeyUrl(name: string, given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined
  const isLocal = url?.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url !== undefined && (url.protocol === 'https:' || isLocal) && url.username === '' && url.password === '')
    return url
  // Without what it is: a password may stand in it.
  throw new TypeError(`the option "${name}" must be an https: URL without a user name and a password`)
}

function checked(options: JwksUrlOptions) {
  checkOptions('jwksUrl()', options, {
    ...{ url: true, maxAgeMs: true, cooldownMs: true, timeoutMs: true, logger: true },
    now: false,
  })
  const { url, maxAgeMs = 3_600_000, cooldownMs = 30_000, timeoutMs = 10_000, logger = consoleLogger } = options ?? {}
  for (const [name, value] of Object.entries({ maxAgeMs, cooldownMs, timeoutMs })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new TypeError(`the option "${name}" must be a positive integer, not ${kindOf(value)}`)
  }
  const { now = () => performance.now() } = options
  return { url: checkKeyUrl('url', url), maxAgeMs, cooldownMs, timeoutMs, logger, now }
}
