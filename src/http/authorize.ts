import { setTimeout as delay } from 'node:timers/promises'
import type { Access, AccessContext, AccessController, Grant } from '../auth/access.ts'
import { RegistryError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { accessContextOf, type Notes, type RequestFacts } from './access-context.ts'
import type { AccessDecision, Audit, Outcome } from './audit.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import { accessFor, type GuardedKind } from './required-access.ts'
import type { RouteOf } from './route.ts'

/** What the handler asks of access control; each call is one entry of the audit log. */
export interface Authorizer {
  /** A grant for everything that the route needs. @throws whatever denies it */
  authorize(request: HttpRequest, route: RouteOf<GuardedKind>, facts: RequestFacts): Promise<Grant>
  /** What a controller that gives out tokens answers, and to whom. @throws {@link RegistryError} `NAME_UNKNOWN` where none does */
  token(request: HttpRequest, facts: RequestFacts): Promise<TokenAnswer>
}

export interface TokenAnswer {
  readonly response: HttpResponse
  /** `undefined` for anonymous ones, and where the controller did not note it. */
  readonly subject: string | undefined
}

export interface AuthorizerOptions {
  readonly access: AccessController
  readonly timeoutMs: number
  readonly audit: Audit | undefined
  readonly logger: Logger
}

/** Puts a controller to work such that whatever goes wrong with it denies. */
export function createAuthorizer({ access, timeoutMs, audit, logger }: AuthorizerOptions): Authorizer {
  const record = (decision: AccessDecision) => {
    if (audit === undefined) return
    try {
      audit(decision)
    } catch (err) {
      logger.error({ err, requestId: decision.requestId }, 'the audit log failed')
    }
  }

  const audited = async <T>(request: HttpRequest, asked: Asked, { requestId, address }: RequestFacts, ask: Ask<T>) => {
    const notes: Notes = {}
    const entry = { ...asked, requestId, method: request.method, ...(address !== undefined && { address }) }
    try {
      const { result, outcome, subject } = await ask(notes)
      record({ at: new Date(), ...entry, outcome, ...(subject !== undefined && { subject }), details: notes })
      return result
    } catch (error) {
      const subject = deniedSubject(error) ?? notedSubject(notes)
      record({
        at: new Date(),
        ...entry,
        outcome: outcomeOf(error, subject),
        ...(subject !== undefined && { subject }),
        details: notes,
      })
      throw error
    }
  }

  return {
    authorize: (request, route, facts) => {
      const required = accessFor(route)
      return audited(request, { route: route.kind, required }, facts, async (notes) => {
        const grant = await within(timeoutMs, request, (signal) =>
          granted(access, request, required, accessContextOf(request, facts, signal, notes)),
        )
        return { result: grant, outcome: 'allowed', subject: grant.subject }
      })
    },
    token: (request, facts) => {
      if (access.token === undefined)
        throw new RegistryError('NAME_UNKNOWN', { message: 'no tokens are given out here' })
      return audited(request, { route: 'token', required: [] }, facts, async (notes) => {
        const response = await within(timeoutMs, request, (signal) =>
          // Looked at above; a controller is not expected to lose its methods.
          (access.token as NonNullable<AccessController['token']>)(
            request,
            accessContextOf(request, facts, signal, notes),
          ),
        )
        const subject = notedSubject(notes)
        return { result: { response, subject }, outcome: response.status < 400 ? 'allowed' : 'denied', subject }
      })
    },
  }
}

type Asked = Pick<AccessDecision, 'route' | 'required'>
type Ask<T> = (
  notes: Notes,
) => Promise<{ readonly result: T; readonly outcome: Outcome; readonly subject: string | undefined }>

async function granted(
  access: AccessController,
  request: HttpRequest,
  required: readonly Access[],
  context: AccessContext,
): Promise<Grant> {
  const grant: Grant | undefined = await access.authorize(request, required, context)
  if (typeof grant?.allows !== 'function') throw new TypeError('the access controller answered without a grant')
  for (const each of required) {
    if ((await grant.allows(each)) !== true) throw new Denied(grant.subject)
  }
  return grant
}

/** Who was denied, for the audit log alone. */
class Denied extends RegistryError {
  readonly subject: string | undefined

  constructor(subject: string | undefined) {
    super('DENIED')
    this.subject = subject
  }
}

function deniedSubject(error: unknown): string | undefined {
  return error instanceof Denied ? error.subject : undefined
}

/** A controller may know who asked, and refuse, or give them a token. */
function notedSubject({ subject }: Notes): string | undefined {
  return typeof subject === 'string' ? subject : undefined
}

/** Somebody who is known is denied, even if a challenge tells how to ask for more: with Docker's tokens, that is how one says no. */
function outcomeOf(error: unknown, subject: string | undefined): Outcome {
  if (RegistryError.is(error, 'UNAUTHORIZED') && subject === undefined) return 'challenged'
  return RegistryError.is(error) && error.status < 500 ? 'denied' : 'failed'
}

/** A controller that never answers denies like any other that fails. */
async function within<T>(
  timeoutMs: number,
  request: HttpRequest,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController()
  const waiting = new AbortController()
  const late = delay(timeoutMs, undefined, { signal: waiting.signal, ref: false }).then(() => {
    timeout.abort()
    throw new RegistryError('UNAVAILABLE', { message: 'access control did not answer in time' })
  })
  late.catch(() => {}) // ends like that when it is no longer waited for
  try {
    return await Promise.race([work(AbortSignal.any([request.signal, timeout.signal])), late])
  } finally {
    waiting.abort()
  }
}
