import type { Access } from './access.ts'
import { formatScope } from './scope.ts'

/**
 * A challenge to send a name and a password; UTF-8, as RFC 7617 has it and every client does.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7617
 */
export function basicChallenge(realm: string): string {
  return `Basic realm=${quoted(realm)}`
}

export interface BearerChallenge {
  /** The URL of the token service. */
  readonly realm: string
  readonly service: string
  /** What the token has to be for. */
  readonly required: readonly Access[]
  /** RFC 6750 §3.1. */
  readonly error?: 'invalid_token' | 'insufficient_scope'
}

/**
 * A challenge to fetch a token, as Docker's clients read it.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function bearerChallenge({ realm, service, required, error }: BearerChallenge): string {
  const parameters = [`realm=${quoted(realm)}`, `service=${quoted(service)}`]
  if (required.length > 0) parameters.push(`scope=${quoted(formatScope(required))}`)
  if (error !== undefined) parameters.push(`error=${quoted(error)}`)
  return `Bearer ${parameters.join(',')}`
}

/** RFC 9110 §5.6.4. Nothing but printable ASCII and spaces gets into a header. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
