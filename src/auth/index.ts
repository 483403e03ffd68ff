export type { AccessContext } from './access.ts'
export { type Authorization, authorizationOf } from './authorization.ts'
export { type BasicAccessOptions, basicAccess } from './basic/basic-access.ts'
export { type Htpasswd, type HtpasswdOptions, htpasswd } from './basic/htpasswd.ts'
export { type FailureLimits, limitFailures } from './basic/limit-failures.ts'
export { type BearerChallenge, basicChallenge, bearerChallenge } from './challenge.ts'
export { type ClientCertificateOptions, clientCertificate } from './client-certificate.ts'
export {
  type Authenticate,
  type CheckCredentials,
  type Credentials,
  type Identity,
  loggedIn,
  type Permissions,
} from './identity.ts'
export { type IdentityAccessOptions, identityAccess } from './identity-access.ts'
export { celCondition } from './issuer/cel-condition.ts'
export type { OidcIssuer } from './issuer/oidc.ts'
export type { Jwk, SigningKeyInput } from './issuer/signing-key.ts'
export { type TokenIssuer, type TokenIssuerOptions, tokenIssuer } from './issuer/token-issuer.ts'
export type { CatalogRule, RepositoryRule, Rule, RuleAction, RuleWho } from './rules/rule.ts'
export { formatRule, parseRule } from './rules/rule-text.ts'
export { type Rules, rules } from './rules/rules.ts'
export { type FileRules, type RulesFileOptions, rulesFile } from './rules/rules-file.ts'
export { type SameOriginOptions, sameOrigin } from './same-origin.ts'
export { formatScope, parseScope } from './scope.ts'
export type { SigningAlgorithm } from './token/algorithms.ts'
export { type CertificatesOptions, certificates } from './token/certificates.ts'
export { type JwksFileOptions, jwksFile } from './token/jwks-file.ts'
export { type JwksUrlOptions, jwksUrl } from './token/jwks-url.ts'
export { type TokenAccessOptions, tokenAccess } from './token/token-access.ts'
export type { KeyHint, TokenKeys, TrustedKey } from './token/trusted-key.ts'
export type { Claims, TrustedIssuer } from './token/verify-token.ts'
