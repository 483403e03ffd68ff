import { kindOf } from '../../arguments.ts'
import type { OperationContext } from '../../backend.ts'

/** What a registry's user logs in with. */
export type Credentials =
  /** A password, or an access token that the registry takes for one. */
  | { readonly username: string; readonly password: string }
  /** From an earlier login: the token server gives tokens for it. Azure's helper has these. */
  | { readonly identityToken: string }
  /** Sent to the registry as it is. */
  | { readonly registryToken: string }

export interface CredentialContext extends OperationContext {
  /** What is asked for: credentials may be filed for one namespace. */
  readonly repository?: string
}

/**
 * Where credentials are found. Asked once a registry wants a login, and again when it refuses what it was given.
 *
 * @param registry - as in references: `docker.io`, `registry.example:5000`
 * @returns `undefined` when there are none, which is not an error: much is open to everybody
 * @throws `RegistryError` when that cannot be told
 */
export type CredentialSource = (registry: string, context: CredentialContext) => Promise<Credentials | undefined>

/**
 * The same for every registry.
 *
 * @throws `TypeError` for what are no credentials
 */
export function inlineCredentials(credentials: Credentials): CredentialSource {
  checkCredentials(credentials)
  return () => Promise.resolve(credentials)
}

/** What the first of `sources` that knows a registry has for it. */
export function firstOf(...sources: readonly CredentialSource[]): CredentialSource {
  return async (registry, context) => {
    for (const source of sources) {
      const found = await source(registry, context)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** @throws `TypeError`, without what was given */
export function checkCredentials(credentials: Credentials): void {
  const isObject = typeof credentials === 'object' && credentials !== null
  const given: Readonly<Record<string, unknown>> = isObject ? { ...credentials } : {}
  const isPassword = isText(given.username) && typeof given.password === 'string'
  if (!isPassword && !isText(given.identityToken) && !isText(given.registryToken)) {
    const what = isObject
      ? 'an object without them'
      : typeof credentials === 'string'
        ? 'a string'
        : kindOf(credentials)
    throw new TypeError(
      `credentials are { username, password }, { identityToken } or { registryToken }, each of them a string, not ${what}`,
    )
  }
  // https://www.rfc-editor.org/rfc/rfc7617#section-2
  if (isPassword && String(given.username).includes(':')) throw new TypeError('a user name cannot hold a colon')
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
