import { headerOf } from '../http/headers.ts'
import type { HttpRequest } from '../http/message.ts'
import type { Credentials } from './identity.ts'

/** Longer `Authorization` headers are no credentials: far more than any token has, in characters. */
export const MAX_AUTHORIZATION_LENGTH: number = 16 * 1024

/** What an `Authorization` header holds. `none`: there is no such header. `unusable`: one that is neither of the two, or malformed. */
export type Authorization =
  | { readonly scheme: 'none' | 'unusable' }
  | ({ readonly scheme: 'basic' } & Credentials)
  | { readonly scheme: 'bearer'; readonly token: string }

/**
 * Reads `Authorization`. Never throws: what cannot be read is `unusable`, which no controller may take for `none`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7617#section-2
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
export function authorizationOf(request: HttpRequest): Authorization {
  const header = headerOf(request, 'authorization')
  if (header === undefined) return { scheme: 'none' }
  if (header.length > MAX_AUTHORIZATION_LENGTH) return { scheme: 'unusable' }
  const space = header.indexOf(' ')
  const value = header.slice(space + 1).trim()
  switch (space < 0 ? '' : header.slice(0, space).toLowerCase()) {
    case 'basic':
      return readBasic(value) ?? { scheme: 'unusable' }
    case 'bearer':
      return isToken68(value) ? { scheme: 'bearer', token: value } : { scheme: 'unusable' }
    default:
      return { scheme: 'unusable' }
  }
}

function readBasic(value: string): Authorization | undefined {
  if (!isToken68(value)) return undefined
  const bytes = Buffer.from(value, 'base64')
  const pair = bytes.toString()
  // What is no UTF-8 would come out as a replacement character, and equal other passwords that are none either.
  if (!Buffer.from(pair).equals(bytes)) return undefined
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  const credentials = { username: pair.slice(0, colon), password: pair.slice(colon + 1) }
  return isWellFormed(credentials) ? { scheme: 'basic', ...credentials } : undefined
}

/** Whether a name and a password are such as `Basic` can carry, however they were sent: a name is not empty here. */
export function isWellFormed({ username, password }: Credentials): boolean {
  return username !== '' && !username.includes(':') && !hasControls(username) && !hasControls(password)
}

/** RFC 9110 §11.2. */
function isToken68(text: string): boolean {
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(text)
}

/** RFC 7617 §2: neither may hold any. */
function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}
