import type { Credentials } from '../credentials/credentials.ts'
import type { JudgedUrl } from '../transport/named-url.ts'

interface Refused {
  /** As its user calls the registry. */
  readonly name: string
  readonly status: number
  readonly credentials: Credentials | undefined
  /** The token server, where one was asked. */
  readonly realm?: JudgedUrl | undefined
  /** What a token that the token server had given was refused for. */
  readonly deniedScopes?: readonly string[] | undefined
}

/** Who refuses whom, and what would help; no secrets. */
export function refusalMessage(who: string, { name, status, credentials, realm, deniedScopes }: Refused): string {
  const login = `wharfage login ${name}`
  if (credentials === undefined) return `${who} refuses what it was asked without a login (${status}): ${login}`
  if (realm?.credentials !== false && deniedScopes !== undefined && deniedScopes.length > 0) {
    return `${who} knows ${described(credentials)}, who may not do this (${status}): ${deniedScopes.join(' ')}. As somebody else: ${login}`
  }
  if (realm?.credentials !== false) return `${who} refuses ${described(credentials)} (${status}): ${login}`
  const { host, origin } = realm.url
  return `${who} refuses what it was asked without a login (${status}): ${host} is given the credentials for ${name} only where realms: ['${origin}'] allows it`
}

function described(credentials: Credentials): string {
  if ('identityToken' in credentials) return 'the identity token'
  if ('registryToken' in credentials) return 'the token'
  return `the user ${JSON.stringify(credentials.username)}`
}
