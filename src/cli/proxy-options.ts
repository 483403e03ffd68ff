import { isRepositoryName } from '../spec/name.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'

/** A registry to pull through, as `--proxy` names it. */
export interface ProxyOption {
  /** What its repositories begin with here, less the slash; `undefined`: every repository that no other has. */
  readonly prefix: string | undefined
  readonly url: URL
}

/**
 * Reads `PREFIX=URL`, and `URL` alone for everything.
 *
 * @throws {@link CliError}
 */
export function parseProxies(texts: readonly string[]): readonly ProxyOption[] {
  const proxies = texts.map(parseProxy)
  const twice = proxies.find(({ prefix }, i) => proxies.findIndex((other) => other.prefix === prefix) !== i)
  if (twice === undefined) return proxies
  const what = twice.prefix === undefined ? 'for everything' : `for ${twice.prefix}`
  throw new CliError(`--proxy is given twice ${what}`, EXIT_USAGE)
}

function parseProxy(text: string): ProxyOption {
  const isBare = /^[a-z]+:\/\//i.test(text)
  const equals = isBare ? -1 : text.indexOf('=')
  const prefix = isBare ? undefined : text.slice(0, Math.max(equals, 0))
  const url = parseUpstreamUrl(text.slice(equals + 1))
  if (prefix === undefined) return { prefix, url }
  if (isRepositoryName(prefix)) return { prefix, url }
  throw new CliError(
    `--proxy ${withoutCredentials(text)}: expected PREFIX=URL with a prefix such as docker.io, in lower case and without a port`,
    EXIT_USAGE,
  )
}

function parseUpstreamUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    url === undefined ||
    (url.protocol !== 'https:' && url.protocol !== 'http:') ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    const shown = withoutCredentials(text)
    throw new CliError(`--proxy ${shown}: expected PREFIX=URL, docker.io=https://registry-1.docker.io say`, EXIT_USAGE)
  }
  if (url.username === '' && url.password === '') return url
  // Everybody on this machine reads command lines.
  throw new CliError(
    `--proxy ${withoutCredentials(text)}: leave the password out, and log in with docker or wharfage login, or name a file with --proxy-auth`,
    EXIT_USAGE,
  )
}

/** Fit for a terminal and a log. */
function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//')
}
