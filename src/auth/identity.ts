import type { HttpRequest } from '../http/message.ts'
import type { Access, AccessContext } from './access.ts'

/** Who somebody turned out to be. */
export interface Identity {
  /** Their name: reaches events, logs and tokens, and stands for `{user}` in rules. Not empty. */
  readonly subject: string
  /** Default: none. */
  readonly groups?: readonly string[]
  /** Another one when their password is: refresh tokens of before are worth nothing then. Not a secret. */
  readonly revision?: string
}

/** A name and a password as a client sent them. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/**
 * Whether a name and a password belong together: a file, a database, a directory service. `undefined` is no. What it throws says that
 * it cannot tell, and denies: a `RegistryError` reaches the client, anything else is 500.
 */
export type CheckCredentials = (
  credentials: Credentials,
  context: AccessContext,
) => Identity | undefined | Promise<Identity | undefined>

/**
 * Finds out who sends a request; `undefined` is nobody that it knows of, and anonymous if no other knows either.
 *
 * @throws `RegistryError` `UNAUTHORIZED` for credentials that are wrong, also where none are needed
 */
export type Authenticate = (
  request: HttpRequest,
  context: AccessContext,
) => Identity | undefined | Promise<Identity | undefined>

/** What somebody may do; `undefined` is whoever has not logged in. Anything but `true` is a no. `rules()` makes one of data. */
export interface Permissions {
  (identity: Identity | undefined, access: Access): boolean | Promise<boolean>
  /** Whether there is something that may be done without logging in, where that is known. */
  readonly grantsAnonymous?: boolean
  /** Those of `names` that may be pulled, in one question per page of the catalog. Default: asked for each. */
  visible?(identity: Identity | undefined, names: readonly string[]): readonly string[] | Promise<readonly string[]>
}

/** Whoever is logged in may do everything, and nobody else anything: as Distribution's htpasswd has it. */
export const loggedIn: Permissions = Object.assign((identity: Identity | undefined) => identity !== undefined, {
  grantsAnonymous: false,
})
