import type { HttpRequest } from '../http/message.ts'

/** One thing a request needs, in the words of Docker's token scopes: `repository:team/app:pull`, `registry:catalog:*`. */
export interface Access {
  readonly type: 'repository' | 'registry'
  readonly name: string
  readonly action: 'pull' | 'push' | 'delete' | '*'
}

/** Who asks, and what they may do: answers may come from a database. */
export interface Grant {
  /** Reaches events and logs; `undefined` for anonymous. */
  readonly subject: string | undefined
  /** Asked again between PATCH and PUT, and to degrade a mount into an upload. */
  allows(access: Access): boolean | Promise<boolean>
  /** The names that `subject` may see, in one question per page of the catalog. Default: `allows` pull, per name. */
  visible?(names: readonly string[]): readonly string[] | Promise<readonly string[]>
}

export interface AccessController {
  /**
   * Called once per request, before any call to the storage.
   *
   * @throws {@link RegistryError} `UNAUTHORIZED` with a `www-authenticate` header, or `DENIED`. Anything else thrown denies with 500.
   */
  authorize(request: HttpRequest, required: readonly Access[]): Promise<Grant>
}

/** Everybody may do everything: a registry that is open on purpose. */
export function anyone(): AccessController {
  const grant: Grant = { subject: undefined, allows: () => true, visible: (names) => names }
  return { authorize: () => Promise.resolve(grant) }
}
