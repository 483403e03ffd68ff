export type { AccessContext } from './access.ts'
export { type Authorization, authorizationOf } from './authorization.ts'
export { type BasicAccessOptions, basicAccess } from './basic/basic-access.ts'
export { type HtpasswdOptions, htpasswd } from './basic/htpasswd.ts'
export { type FailureLimits, limitFailures } from './basic/limit-failures.ts'
export { type BearerChallenge, basicChallenge, bearerChallenge } from './challenge.ts'
export {
  type Authenticate,
  type CheckCredentials,
  type Credentials,
  type Identity,
  loggedIn,
  type Permissions,
} from './identity.ts'
export { type IdentityAccessOptions, identityAccess } from './identity-access.ts'
export { formatScope, parseScope } from './scope.ts'
