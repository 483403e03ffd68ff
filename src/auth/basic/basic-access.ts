import { checkOptions, kindOf } from '../../arguments.ts'
import { RegistryError } from '../../errors.ts'
import type { AccessController } from '../access.ts'
import { authorizationOf } from '../authorization.ts'
import { basicChallenge } from '../challenge.ts'
import type { Authenticate, CheckCredentials, Permissions } from '../identity.ts'
import { identityAccess } from '../identity-access.ts'
import { type FailureLimits, limitFailures } from './limit-failures.ts'

export interface BasicAccessOptions {
  /** Whose a name and a password are: `htpasswd({ file })`, or a function of your own. */
  readonly check: CheckCredentials
  /** What they may do. Default: everything, whoever is logged in. */
  readonly permissions?: Permissions
  /** What clients show when they ask for a password. Default: `wharfage`. */
  readonly realm?: string
  /** When an address that sends wrong passwords has to wait. */
  readonly failures?: FailureLimits
}

/**
 * Names and passwords with each request. Over anything but TLS, everybody on the way reads them.
 *
 * @throws `TypeError` for options that make no sense, and for permissions that let anybody in without a password
 */
export function basicAccess(options: BasicAccessOptions): AccessController {
  const { check, permissions, realm, failures } = checked(options)
  const challenge = basicChallenge(realm)
  const limited = limitFailures(check, failures)
  const refused = (message?: string) =>
    new RegistryError('UNAUTHORIZED', {
      headers: { 'www-authenticate': challenge },
      ...(message !== undefined && { message }),
    })

  const authenticate: Authenticate = async (request, context) => {
    const authorization = authorizationOf(request)
    if (authorization.scheme === 'none') return undefined
    if (authorization.scheme !== 'basic') throw refused('expected a name and a password (Basic)')
    const { username, password } = authorization
    context.note({ username: username.slice(0, MAX_NOTED) })
    const identity = await limited({ username, password }, context)
    if (identity === undefined) throw refused('wrong name or password')
    return identity
  }
  return identityAccess({ authenticate, challenge, ...(permissions && { permissions }) })
}

/** Characters of a name that nobody may have. */
export const MAX_NOTED = 256

function checked(options: BasicAccessOptions) {
  checkOptions('basicAccess()', options, { check: true, permissions: true, realm: true, failures: true })
  const { check, permissions, realm = 'wharfage', failures } = options ?? {}
  if (typeof check !== 'function') {
    throw new TypeError(`the option "check" must be a function, htpasswd({ file }) say, not ${kindOf(check)}`)
  }
  if (typeof realm !== 'string') throw new TypeError(`the option "realm" must be a text, not ${kindOf(realm)}`)
  if (permissions?.grantsAnonymous === true) {
    throw new TypeError(
      'these permissions let anybody in without a password, which docker would not do: it remembers from /v2/ that a password is ' +
        'needed. Give out tokens: tokenIssuer({ check, permissions, … }) in place of basicAccess()',
    )
  }
  return { check, permissions, realm, failures }
}
