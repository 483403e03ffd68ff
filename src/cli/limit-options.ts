import type { QuotaLimit } from '../decorators/quota/limits.ts'
import { quota } from '../decorators/quota.ts'
import type { RateLimit } from '../http/handler.ts'
import { CliError, EXIT_USAGE, messageOf } from './cli-error.ts'
import { parseBytes } from './parse-bytes.ts'

/** How much the command line lets anybody do. */
export interface LimitOptions {
  readonly quotas: readonly QuotaLimit[]
  readonly maxBlobBytes: number | undefined
  readonly rateLimit: RateLimit | undefined
}

interface Values {
  readonly quota: readonly string[]
  readonly 'max-blob-size': string | undefined
  readonly 'rate-limit': string | undefined
}

/** @throws {@link CliError} */
export function parseLimits({ quota: quotas, 'max-blob-size': size, 'rate-limit': rate }: Values): LimitOptions {
  return {
    quotas: quotas.map(parseQuota),
    maxBlobBytes: size === undefined ? undefined : parseBytes('max-blob-size', size),
    rateLimit: rate === undefined ? undefined : parseRate(rate),
  }
}

/** `team/=500G`: all below team/ together; `team/*=5G`: each of them. */
function parseQuota(text: string): QuotaLimit {
  const equals = text.lastIndexOf('=')
  const name = text.slice(0, Math.max(0, equals))
  if (name === '') {
    const expected =
      'expected NAME=BYTES: team/=500G for all below team/ together, team/*=5G for each of them, **=5G for every one'
    throw new CliError(`--quota ${text}: ${expected}`, EXIT_USAGE)
  }
  const maxBytes = parseBytes('quota', text.slice(equals + 1), text)
  const limit: QuotaLimit = name.endsWith('/') ? { prefix: name, maxBytes } : { repository: name, maxBytes }
  try {
    quota({ limits: [limit] })
  } catch (cause) {
    throw new CliError(`--quota ${text}: ${messageOf(cause)}`, EXIT_USAGE, { cause })
  }
  return limit
}

function parseRate(text: string): RateLimit {
  const perSecond = /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : 0
  if (perSecond > 0) return { perSecond }
  throw new CliError(`--rate-limit ${text}: expected a number of requests per second, 20 say`, EXIT_USAGE)
}
