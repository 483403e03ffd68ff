import { type Access, type AccessController, anyone } from '../../../src/auth/access.ts'
import { basicAccess } from '../../../src/auth/basic/basic-access.ts'
import { identityAccess } from '../../../src/auth/identity-access.ts'
import { rules } from '../../../src/auth/rules/rules.ts'
import { parseScope } from '../../../src/auth/scope.ts'
import { writeAccessClaim } from '../../../src/auth/token/claims.ts'
import { tokenAccess } from '../../../src/auth/token/token-access.ts'
import { headerOf } from '../../../src/http/headers.ts'
import { EC, ISSUER, keysOf, NOW, OTHER_EC, SERVICE, token } from '../token/support.ts'
import type { Need, Row } from './policy.ts'
import { PRINCIPALS, type Principal } from './principals.ts'
import { NAME } from './scene.ts'

export interface Refusal {
  readonly status: 401 | 403
  readonly code: 'UNAUTHORIZED' | 'DENIED'
  /** `www-authenticate`. */
  readonly challenge?: string
}

/** One way to have access controlled. */
export interface Mode {
  readonly name: string
  /** Everybody may do everything. */
  readonly open: boolean
  readonly access: AccessController
  may(principal: Principal): readonly Need[]
  /** What somebody sends of who they are. */
  credentials(principal: Principal): Readonly<Record<string, string>>
  /** How somebody is refused who may not. */
  refusal(principal: Principal, row: Row): Refusal
}

const DENIED: Refusal = { status: 403, code: 'DENIED' }

const open: Mode = {
  name: 'nothing',
  open: true,
  access: anyone(),
  may: ({ may }) => may,
  credentials: (principal) => passwordOf(principal),
  refusal: () => {
    throw new Error('refuses nobody')
  },
}

function passwordOf({ name, credentials }: Principal): Record<string, string> {
  const password = credentials === 'good' ? 'right' : 'wrong'
  return credentials === 'none'
    ? {}
    : { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` }
}

const basic: Mode = {
  name: 'passwords and rules',
  open: false,
  access: basicAccess({
    check: ({ username, password }) => (password === 'right' ? { subject: username } : undefined),
    permissions: rules(
      PRINCIPALS.flatMap(({ name, rules }) => rules.map((rule) => rule.replace(/: (?=[^:]*$)/, `: user(${name}) `))),
    ),
    failures: { perUser: 1_000_000, perAddress: 1_000_000 },
  }),
  may: ({ may, mayByRules = may }) => mayByRules,
  credentials: passwordOf,
  refusal: ({ credentials }) =>
    credentials === 'good' ? DENIED : { status: 401, code: 'UNAUTHORIZED', challenge: 'Basic realm="wharfage"' },
}

const REALM = 'https://issuer.test/token'

/** Made once: a test's headers have to be there at once. */
const tokens = new Map(
  await Promise.all(PRINCIPALS.map(async (principal) => [principal.name, await tokenOf(principal)] as const)),
)

function tokenOf({ name, scope }: Principal): Promise<string> {
  const claims = { sub: name, access: writeAccessClaim(parseScope(scope)) }
  switch (name) {
    case 'expired':
      return token({ claims: { ...claims, exp: NOW - 3600 } })
    case 'other-service':
      return token({ claims: { ...claims, aud: 'other.test' } })
    case 'wrong-key':
      return token({ claims, key: OTHER_EC.privateKey })
    default:
      return token({ claims })
  }
}

const bearer: Mode = {
  name: 'tokens',
  open: false,
  access: tokenAccess({
    ...{ service: SERVICE, realm: REALM, issuers: [{ issuer: ISSUER, keys: keysOf(EC.publicKey) }] },
    date: () => NOW * 1000,
  }),
  may: ({ may }) => may,
  // Whoever has a wrong password had no token for it.
  credentials: (principal): Record<string, string> => {
    if (principal.credentials === 'none') return {}
    if (principal.name === 'wrong-password') return passwordOf(principal)
    return { authorization: `Bearer ${tokens.get(principal.name)}` }
  },
  refusal: ({ name, credentials }, { needs }) => {
    const isToken = credentials !== 'none' && name !== 'wrong-password'
    const error = isToken && (credentials === 'good' ? 'insufficient_scope' : 'invalid_token')
    const challenge = `Bearer realm="${REALM}",service="${SERVICE}"${scopeOf(needs)}${error ? `,error="${error}"` : ''}`
    return { status: 401, code: 'UNAUTHORIZED', challenge }
  },
}

/** As the specification has it in a challenge. */
function scopeOf(needs: Need): string {
  switch (needs) {
    case 'catalog':
      return ',scope="registry:catalog:*"'
    case 'pull':
    case 'delete':
      return `,scope="repository:${NAME}:${needs}"`
    case 'push':
      return `,scope="repository:${NAME}:pull,push"`
    default:
      return ''
  }
}

/** A host service's own sessions and permissions. */
const hook: Mode = {
  name: 'a function of the host service',
  open: false,
  access: identityAccess({
    authenticate: async (request) => {
      const name = headerOf(request, 'cookie')?.replace('session=', '')
      const found = PRINCIPALS.find((principal) => principal.credentials === 'good' && principal.name === name)
      return found && { subject: found.name }
    },
    permissions: async (identity, access) => identity !== undefined && holds(identity.subject, access),
  }),
  may: ({ may }) => may,
  credentials: ({ name, credentials }): Record<string, string> =>
    credentials === 'none' ? {} : { cookie: `session=${name}` },
  refusal: () => DENIED,
}

/** As a database of permissions would have it. */
function holds(subject: string, access: Access): boolean {
  const scope = parseScope(PRINCIPALS.find(({ name }) => name === subject)?.scope ?? '')
  return scope.some(
    ({ type, name, action }) =>
      type === access.type && name === access.name && (action === '*' || action === access.action),
  )
}

export const MODES: readonly Mode[] = [open, basic, bearer, hook]
