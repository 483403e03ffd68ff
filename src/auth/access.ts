import { kindOf } from '../arguments.ts'
import type { HttpRequest, HttpResponse } from '../http/message.ts'

/** One thing a request needs, in the words of Docker's token scopes: `repository:team/app:pull`, `registry:catalog:*`. */
export interface Access {
  readonly type: 'repository' | 'registry'
  readonly name: string
  readonly action: 'pull' | 'push' | 'delete' | '*'
}

/** Who asks, and what they may do: answers may come from a database. Good for one request. */
export interface Grant {
  /** Reaches events and logs; `undefined` for anonymous. */
  readonly subject: string | undefined
  /**
   * Asked for everything that the request needs, and to degrade a mount into an upload. Anything but `true` is a no; what it throws
   * denies with 500.
   */
  allows(access: Access): boolean | Promise<boolean>
  /** The names that `subject` may see in the catalog, in one question per page of it. Default: `allows` pull, per name. */
  visible?(names: readonly string[]): readonly string[] | Promise<readonly string[]>
}

/** What a controller may want to know beyond the request itself. */
export interface AccessContext {
  /**
   * Scheme, host and path below which the client finds `/v2/`, without a slash at its end: `https://registry.example`. Of `publicUrl`
   * or a trusted proxy where there is one; else of the request's own `Host`, which its client chose.
   */
  readonly baseUrl: string
  /** The client's address, by the word of a trusted proxy where there is one. */
  readonly address: string | undefined
  readonly requestId: string
  /** Aborts when the client leaves, and when the handler no longer waits for an answer. */
  readonly signal: AbortSignal
  /** Adds to what the audit log tells of this decision. Never a secret. */
  note(details: Readonly<Record<string, unknown>>): void
}

/** {@link AccessController.authorize} on its own. */
export type Authorize = (
  request: HttpRequest,
  required: readonly Access[],
  context: AccessContext,
) => Grant | Promise<Grant>

export interface AccessController {
  /**
   * Called once per request, before any call to the storage. Its grant is asked for each of `required` afterwards: whoever only finds
   * out who asks need not look at them.
   *
   * @throws `RegistryError` `UNAUTHORIZED` with a `www-authenticate` header, or `DENIED`. Anything else thrown denies with 500.
   */
  authorize(request: HttpRequest, required: readonly Access[], context: AccessContext): Grant | Promise<Grant>
  /**
   * Answers `/v2/_wharfage/token`, where the controller gives tokens out itself. Nobody was asked who sends such a request. Without it,
   * there is nothing there.
   *
   * @throws `RegistryError`
   */
  token?(request: HttpRequest, context: AccessContext): Promise<HttpResponse>
}

/** Everybody may do everything: a registry that is open on purpose. */
export function anyone(): AccessController {
  const grant: Grant = { subject: undefined, allows: () => true, visible: (names) => names }
  return { authorize: () => grant }
}

/** @throws `TypeError` for what is neither a controller nor its function */
export function accessController(access: AccessController | Authorize): AccessController {
  if (typeof access === 'function') return { authorize: access }
  if (typeof access?.authorize === 'function') return access
  throw new TypeError(
    `the option "access" must be an access controller or its function, not ${kindOf(access)}: { access: anyone() } for a registry that is open`,
  )
}
