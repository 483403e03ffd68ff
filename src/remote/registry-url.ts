import { DOCKER_HUB } from '../spec/reference.ts'

/** Where a registry is, and what it is called. */
export interface RegistryAddress {
  /** As in references, and as credentials are filed: `docker.io`, `registry.example:5000`. */
  readonly name: string
  /** What `/v2/` comes after, without a trailing slash. */
  readonly url: URL
}

/** Docker Hub answers under another name than the one that it has in references. */
const DOCKER_HUB_API = 'https://registry-1.docker.io'
const DOCKER_HUB_NAMES = new Set([DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'])

/**
 * Reads `registry.example`, `127.0.0.1:5000` or a URL. Without a scheme it is https, and http on this machine's loopback, as Docker
 * and crane have it.
 *
 * @throws `TypeError` for what is neither
 */
export function parseRegistryAddress(text: string | URL): RegistryAddress {
  const given = String(text)
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(given)
  const written = hasScheme ? given : `${isLoopback(given) ? 'http' : 'https'}://${given}`
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new TypeError(
      `${JSON.stringify(given)} is no registry: expected a host such as registry.example:5000, or its URL`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('credentials do not belong in the URL of a registry: give them as an option')
  }
  if (url.search !== '' || url.hash !== '')
    throw new TypeError(`${JSON.stringify(given)}: a registry's URL has no query`)
  if (DOCKER_HUB_NAMES.has(url.hostname)) return { name: DOCKER_HUB, url: new URL(DOCKER_HUB_API) }
  url.pathname = url.pathname.replace(/(?<!\/)\/+$/, '').replace(/\/v2$/, '')
  return { name: url.host, url }
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(\/|$)/i.test(host)
}
