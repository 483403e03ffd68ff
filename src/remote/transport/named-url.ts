import { RegistryError } from '../../errors.ts'
import { isPrivateHost } from './addresses.ts'
import type { UrlRules } from './url-rules.ts'

export type { UrlRules } from './url-rules.ts'

/** What a registry names URLs for: each is one that it could make us call. */
export type UrlPurpose = 'realm' | 'realmRedirect' | 'redirect' | 'location' | 'link' | 'foreign'

interface Purpose {
  readonly said: string
  /** Who may be given credentials: token servers on the registry's host or on the operator's list, the registry, nobody. */
  readonly credentials: 'realms' | 'registry' | 'never'
  /** Whether it may be on another origin than where it was named. */
  readonly mayLeave: boolean
}

const PURPOSES: Readonly<Record<UrlPurpose, Purpose>> = {
  /** The token server, in a challenge. */
  realm: { said: 'token server', credentials: 'realms', mayLeave: true },
  /** Where a token server sends us on. */
  realmRedirect: { said: 'redirect of its token server', credentials: 'realms', mayLeave: false },
  /** Where a request is sent on: a blob in a bucket. */
  redirect: { said: 'redirect', credentials: 'registry', mayLeave: true },
  /** `Location` of an upload. */
  location: { said: 'upload location', credentials: 'registry', mayLeave: true },
  /** `Link` to the next page. */
  link: { said: 'next page', credentials: 'registry', mayLeave: false },
  /** `urls` of a descriptor. */
  foreign: { said: 'foreign url', credentials: 'never', mayLeave: true },
}

/** Characters. Signed URLs take two thousand or so; in a header of Node's there is no room for more. */
const MAX_LENGTH = 16_384
/** Characters, in the name system. */
const MAX_HOST_LENGTH = 253

/** A URL that may be called, and how. */
export interface JudgedUrl {
  readonly url: URL
  /** Whether what we know of the registry's user may be sent along. */
  readonly credentials: boolean
  /** Whether its host may only have public addresses: to be called through `publicLookup`. */
  readonly publicOnly: boolean
}

/**
 * The one judge of every URL that a remote names. Credentials stay on the registry's own origin, or go to a token server on its
 * host or on the operator's list; nothing leads from https to http; and what is on another origin must have public addresses. Who is
 * given no credentials cannot name a URL that is: a bucket that sends back to the registry does not get its user to act there.
 *
 * @param from - the request whose answer named it, which relative ones start from
 * @throws {@link RegistryError} `DENIED`, with what an operator could allow
 */
export function judgeUrl(purpose: UrlPurpose, text: string, from: URL, rules: UrlRules): JudgedUrl {
  const { said, credentials, mayLeave } = PURPOSES[purpose]
  const refuse = (why: string) =>
    new RegistryError('DENIED', { message: `${rules.registry.host} names a ${said} that is not followed: ${why}` })
  if (text.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`)
  const url = URL.canParse(text, from.href) ? new URL(text, from.href) : undefined
  if (url === undefined) throw refuse('it is no URL')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse(`${url.protocol} is neither https nor http`)
  if (url.username !== '' || url.password !== '') throw refuse('it carries a user name or a password')
  if (url.hostname.length > MAX_HOST_LENGTH) throw refuse(`its host is longer than ${MAX_HOST_LENGTH} characters`)
  if (url.protocol === 'http:' && from.protocol === 'https:') throw refuse(`${url.origin} is not https`)
  if (!mayLeave && url.origin !== from.origin) throw refuse(`${url.origin} is not where it was named`)
  const publicOnly = !isOperators(url, rules)
  if (publicOnly && isPrivateHost(url.hostname)) {
    const option = purpose === 'realm' ? 'realms' : 'origins'
    throw refuse(`${url.host} is not a public address (allow it with ${option}: ['${url.origin}'])`)
  }
  return { url, credentials: receives(credentials, url, rules) && receives(credentials, from, rules), publicOnly }
}

/** Called whatever its address: the operator named it. The registry's own host by https, too, where http was written. */
function isOperators({ origin, host }: URL, { registry, realms, origins }: UrlRules): boolean {
  return origin === registry.origin || host === registry.host || realms.includes(origin) || origins.includes(origin)
}

function receives(credentials: Purpose['credentials'], { origin, host }: URL, { registry, realms }: UrlRules): boolean {
  if (credentials === 'never') return false
  if (origin === registry.origin) return true
  return credentials === 'realms' && (host === registry.host || realms.includes(origin))
}
