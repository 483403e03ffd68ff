import { isIP } from 'node:net'
import { RegistryError } from '../../errors.ts'
import { isPublicAddress } from './addresses.ts'

/** What a registry names URLs for: each is one that it could make us call. */
export type UrlPurpose = 'realm' | 'realmRedirect' | 'redirect' | 'location' | 'link' | 'foreign'

interface Purpose {
  readonly said: string
  /** Who may be given credentials: token servers on the registry's host or on the operator's list, the same origin, nobody. */
  readonly credentials: 'listed' | 'sameOrigin' | 'never'
  /** Whether it may be on another origin than where it was named. */
  readonly mayLeave: boolean
}

const PURPOSES: Readonly<Record<UrlPurpose, Purpose>> = {
  /** The token server, in a challenge. */
  realm: { said: 'token server', credentials: 'listed', mayLeave: true },
  /** Where a token server sends us on. */
  realmRedirect: { said: 'redirect of its token server', credentials: 'sameOrigin', mayLeave: false },
  /** Where a request is sent on: a blob in a bucket. */
  redirect: { said: 'redirect', credentials: 'sameOrigin', mayLeave: true },
  /** `Location` of an upload. */
  location: { said: 'upload location', credentials: 'sameOrigin', mayLeave: true },
  /** `Link` to the next page. */
  link: { said: 'next page', credentials: 'sameOrigin', mayLeave: false },
  /** `urls` of a descriptor. */
  foreign: { said: 'foreign url', credentials: 'never', mayLeave: true },
}

export interface UrlRules {
  /** The registry as its operator wrote it: whatever its address, it may be called. */
  readonly registry: URL
  /** Origins of token servers on other hosts that may be given credentials. Their addresses may be private. */
  readonly realms: readonly string[]
  /** Other origins whose addresses may be private: a bucket on the registry's network. They are never given credentials. */
  readonly origins: readonly string[]
}

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
 * host or on the operator's list; nothing leads from https to http; and what is on another origin must have public addresses.
 *
 * @param from - the request whose answer named it, which relative ones start from
 * @throws {@link RegistryError} `DENIED`, with what an operator could allow
 */
export function judgeUrl(purpose: UrlPurpose, text: string, from: URL, rules: UrlRules): JudgedUrl {
  const { said, credentials, mayLeave } = PURPOSES[purpose]
  const refuse = (why: string) =>
    new RegistryError('DENIED', { message: `${rules.registry.host} names a ${said} that is not followed: ${why}` })
  const url = URL.canParse(text, from.href) ? new URL(text, from.href) : undefined
  if (url === undefined) throw refuse('it is no URL')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse(`${url.protocol} is neither https nor http`)
  if (url.username !== '' || url.password !== '') throw refuse(`it carries a user name or a password`)
  if (url.protocol === 'http:' && from.protocol === 'https:') throw refuse(`${url.origin} is not https`)
  const isOwn = url.origin === rules.registry.origin
  const isRealm = rules.realms.includes(url.origin)
  if (!mayLeave && url.origin !== from.origin) throw refuse(`${url.origin} is not where it was named`)
  const publicOnly = !isOwn && !(url.host === rules.registry.host) && !isRealm && !rules.origins.includes(url.origin)
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  if (publicOnly && isIP(literal) !== 0 && !isPublicAddress(literal)) {
    throw refuse(`${url.host} is not a public address (allow it with origins: ['${url.origin}'])`)
  }
  return { url, credentials: mayHaveCredentials(), publicOnly }

  function mayHaveCredentials(): boolean {
    if (credentials === 'never' || url === undefined) return false
    if (credentials === 'listed') return isRealm || url.host === rules.registry.host
    return purpose === 'realmRedirect' ? url.origin === from.origin : isOwn
  }
}
