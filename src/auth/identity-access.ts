import { checkOptions, kindOf } from '../arguments.ts'
import { RegistryError } from '../errors.ts'
import type { HttpRequest } from '../http/message.ts'
import type { Access, AccessContext, AccessController, Grant } from './access.ts'
import { type Authenticate, type Identity, loggedIn, type Permissions } from './identity.ts'

export interface IdentityAccessOptions {
  /** Who asks. Of several, the first that knows. */
  readonly authenticate: Authenticate | readonly Authenticate[]
  /** What they may do. Default: everything, whoever is logged in. */
  readonly permissions?: Permissions
  /**
   * The `www-authenticate` of an answer to whoever is not logged in and has to be. Without one, that is `DENIED` (403): for browsers'
   * sessions and client certificates, where there is nothing that a client of a registry could send.
   */
  readonly challenge?: string | ((required: readonly Access[], context: AccessContext) => string)
}

/**
 * Access control in two questions: who asks, and what they may do.
 *
 * @example
 * identityAccess({ authenticate: ({ raw }) => identityOf(raw), permissions: rules(['team/{user}/**: pull, push']) })
 */
export function identityAccess(options: IdentityAccessOptions): AccessController {
  const { authenticators, permissions, challenge } = checked(options)
  const refuse = (required: readonly Access[], context: AccessContext): RegistryError => {
    if (challenge === undefined) return new RegistryError('DENIED')
    const header = typeof challenge === 'string' ? challenge : challenge(required, context)
    return new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': header } })
  }
  return {
    authorize: async (request, required, context) => {
      const identity = await firstKnown(authenticators, request, context)
      const grant = grantOf(identity, permissions)
      if (identity !== undefined) return grant
      // Where nothing in particular is needed (`GET /v2/`), clients learn whether they have to log in.
      if (required.length === 0) {
        // With nothing that they could log in with, they only ask whether this is a registry.
        if (challenge === undefined && permissions.grantsAnonymous === true) return grant
        throw refuse(required, context)
      }
      for (const access of required) if ((await grant.allows(access)) !== true) throw refuse(required, context)
      return grant
    },
  }
}

/** A grant by permissions, which are asked anew each time. */
export function grantOf(identity: Identity | undefined, permissions: Permissions): Grant {
  return {
    subject: identity?.subject,
    allows: async (access) => (await permissions(identity, access)) === true,
    ...(permissions.visible && { visible: (names) => permissions.visible?.(identity, names) ?? [] }),
  }
}

async function firstKnown(
  authenticators: readonly Authenticate[],
  request: HttpRequest,
  context: AccessContext,
): Promise<Identity | undefined> {
  for (const authenticate of authenticators) {
    const identity = await authenticate(request, context)
    if (identity !== undefined && identity !== null) return checkIdentity(identity)
  }
  return undefined
}

/** A mistake in somebody's own function must not make a nobody of a user, or a user of a nobody. */
export function checkIdentity(identity: Identity): Identity {
  if (typeof identity === 'object' && typeof identity.subject === 'string' && identity.subject !== '') return identity
  throw new TypeError(
    // Without what it is: somebody may have answered with a secret.
    `an identity must have a subject that is a text, { subject: 'alice' } say, and not be a ${typeof identity}`,
  )
}

function checked(options: IdentityAccessOptions) {
  checkOptions('identityAccess()', options, { authenticate: true, permissions: true, challenge: true })
  const { authenticate, permissions = loggedIn, challenge } = options ?? {}
  const authenticators = Array.isArray(authenticate) ? authenticate : [authenticate]
  if (authenticators.length === 0 || !authenticators.every((one) => typeof one === 'function')) {
    throw new TypeError('the option "authenticate" must be a function of a request, or a list of such functions')
  }
  if (typeof permissions !== 'function') {
    throw new TypeError(`the option "permissions" must be a function, rules([…]) say, not ${kindOf(permissions)}`)
  }
  if (challenge !== undefined && typeof challenge !== 'string' && typeof challenge !== 'function') {
    throw new TypeError(`the option "challenge" must be a text or a function, not ${kindOf(challenge)}`)
  }
  return { authenticators: authenticators as readonly Authenticate[], permissions, challenge }
}
