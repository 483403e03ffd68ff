import type { Access, AccessContext, AccessController, Grant } from '../../auth/access.ts'
import { RegistryError } from '../../errors.ts'
import { errorResponse } from '../../http/errors.ts'
import { headerOf } from '../../http/headers.ts'
import type { HttpRequest } from '../../http/message.ts'
import { accessFor } from '../../http/required-access.ts'
import { silentLogger } from '../../logger.ts'
import { type Middleware, routeOf } from './middleware.ts'

/** Who has which password. */
export type Users = Readonly<Record<string, string>>

/** What a user may do; `undefined` is whoever has not logged in. */
export type Rights = (user: string | undefined, access: Access) => boolean

/** Users by name and password, on each request. */
export function basicAccess(users: Users, rights: Rights): AccessController {
  return {
    authorize: async (request, required) => {
      const user = passwordUser(users, headerOf(request, 'authorization'))
      const grant: Grant = { subject: user, allows: (access) => rights(user, access) }
      if (required.length > 0 && required.every((access) => rights(user, access))) return grant
      if (user === undefined) throw unauthorized('Basic realm="test registry"')
      if (required.length > 0) throw new RegistryError('DENIED')
      return grant
    },
  }
}

/**
 * Whom a header of `Basic` proves.
 *
 * @throws {@link RegistryError} `UNAUTHORIZED` for a wrong password, also where nobody needs one
 */
export function passwordUser(users: Users, header: string | undefined): string | undefined {
  const [scheme = '', encoded = ''] = header?.split(' ') ?? []
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(encoded, 'base64').toString()
  const colon = pair.indexOf(':')
  const user = pair.slice(0, colon)
  if (colon > 0 && Object.hasOwn(users, user) && users[user] === pair.slice(colon + 1)) return user
  throw unauthorized('Basic realm="test registry"', 'wrong name or password')
}

export function unauthorized(challenge: string, message?: string): RegistryError {
  return new RegistryError('UNAUTHORIZED', {
    headers: { 'www-authenticate': challenge },
    ...(message !== undefined && { message }),
  })
}

/**
 * Access control as a step of its own, so that the steps between it and the registry know who asks. The registry's handler gets
 * the grants from {@link Gate.controller}.
 */
export class Gate {
  readonly #access: AccessController
  /** By what the adapter wrapped: the steps in between change the request itself. */
  readonly #grants = new WeakMap<object, Grant>()

  constructor(access: AccessController) {
    this.#access = access
  }

  readonly middleware: Middleware = async (request, next) => {
    const route = routeOf(request)
    // What is no request of a registry is told so by its handler, to anybody.
    if (route === undefined || route.kind === 'preflight' || route.kind === 'token') return next(request)
    try {
      this.#grants.set(keyOf(request), await this.#access.authorize(request, accessFor(route), contextOf(request)))
    } catch (error) {
      return errorResponse(error, request, '', silentLogger)
    }
    return next(request)
  }

  readonly controller: AccessController = {
    // A request that one of the steps turned into another may need what the first did not.
    authorize: async (request, required, context) =>
      this.#grants.get(keyOf(request)) ?? this.#access.authorize(request, required, context),
  }

  /** Who asks; `undefined` for anybody. */
  userOf(request: HttpRequest): string | undefined {
    return this.#grants.get(keyOf(request))?.subject
  }
}

/** The controllers of this registry look at nothing but the request. */
function contextOf({ signal }: HttpRequest): AccessContext {
  return { baseUrl: '', address: undefined, requestId: '', signal, note: () => {} }
}

function keyOf({ raw }: HttpRequest): object {
  return raw as object // the adapter's `IncomingMessage`
}
