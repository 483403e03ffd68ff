import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { expect } from 'vitest'
import { authorizationOf, MAX_AUTHORIZATION_LENGTH } from '../../../src/auth/authorization.ts'
import { basicChallenge } from '../../../src/auth/challenge.ts'
import { type CheckCredentials, identityAccess } from '../../../src/auth/index.ts'
import { tokenAccess } from '../../../src/auth/token/token-access.ts'
import { RegistryError } from '../../../src/errors.ts'
import type { HttpRequest } from '../../../src/http/message.ts'
import {
  EC,
  handmade,
  ISSUER,
  jwkOf,
  keysOf,
  NOW,
  OTHER_EC,
  RSA,
  SERVICE,
  type TokenFields,
  token,
} from '../../auth/token/support.ts'
import { requestOf } from '../support.ts'
import { corpus } from './corpus.ts'
import { world } from './outcome.ts'

const rows = corpus('authorization')

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64')
const basic = (text: string | Uint8Array): string => `Basic ${base64(text)}`
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const CHALLENGE = basicChallenge('registry')

const onlyAlice: CheckCredentials = ({ username, password }) =>
  username === 'alice' && password === 'secret' ? { subject: username } : undefined

/** A registry where alice may do everything, and whoever sends no credentials may read `public`. */
const guarded = world({
  refusalHeaders: { 'www-authenticate': /^Basic realm="registry"$/ },
  access: identityAccess({
    authenticate: async (request, context) => {
      const credentials = authorizationOf(request)
      if (credentials.scheme === 'none') return undefined
      const identity = credentials.scheme === 'basic' ? await onlyAlice(credentials, context) : undefined
      if (identity !== undefined) return identity
      throw new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': CHALLENGE } })
    },
    permissions: (identity, { name, action }) => identity !== undefined || (name === 'public' && action === 'pull'),
    challenge: CHALLENGE,
  }),
})

type Authorization = HttpRequest['headers'][string]

async function attempt(authorization: Authorization, url: string): Promise<readonly unknown[]> {
  const { status, error, headers } = await guarded.ask('GET', url, { headers: { authorization } })
  return [status, error.code, headers['www-authenticate']]
}

const read = (authorization: Authorization) => authorizationOf(requestOf('GET', '/v2/', { headers: { authorization } }))

const unusable: readonly (readonly [string, string | string[]])[] = [
  // No scheme, or none of ours
  ['nothing', ''],
  ['a space', ' '],
  ['a tab', '\t'],
  ['Basic alone', 'Basic'],
  ['Basic and a space', 'Basic '],
  ['Basic and many spaces', `Basic${' '.repeat(1000)}`],
  ['Bearer alone', 'Bearer'],
  ['Bearer and a space', 'Bearer '],
  ['credentials without a scheme', base64('alice:secret')],
  ['a name and a password as they are', 'alice:secret'],
  ['a space before the scheme', ` ${basic('alice:secret')}`],
  ['a tab after the scheme', `Basic\t${base64('alice:secret')}`],
  ['a line feed after the scheme', `Basic\n${base64('alice:secret')}`],
  ['a no-break space after the scheme', `Basic\u00a0${base64('alice:secret')}`],
  ['a colon after the scheme', `Basic: ${base64('alice:secret')}`],
  ['an equals sign after the scheme', `Basic=${base64('alice:secret')}`],
  ['no space after the scheme', `Basic${base64('alice:secret')}`],
  ['a scheme with a plural', `Basics ${base64('alice:secret')}`],
  ['a scheme with another letter', `Baſic ${base64('alice:secret')}`],
  ['a scheme with letters that look the same', `Ваsic ${base64('alice:secret')}`],
  ['a scheme in quotes', `"Basic" ${base64('alice:secret')}`],
  ['the scheme twice', `Basic ${basic('alice:secret')}`],
  ['another scheme in front', `Negotiate ${basic('alice:secret')}`],
  ['Digest', 'Digest username="alice", realm="registry", nonce="x", uri="/v2/", response="x"'],
  ['Negotiate', 'Negotiate YIIZ'],
  ['NTLM', 'NTLM TlRMTVNTUAAB'],
  ['AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, Signature=x'],
  ['Token', 'Token abc'],
  ['__proto__', '__proto__ abc'],
  ['constructor', `constructor ${base64('alice:secret')}`],
  // Base64 that is none
  ['letters that are no base64', 'Basic ali:ce'],
  ['a percent sign', 'Basic YWxpY2U6c2VjcmV0%3D'],
  ['a comma', 'Basic YWxpY2U6,c2VjcmV0'],
  ['a space within', 'Basic YWxpY2U6 c2VjcmV0'],
  ['a tab within', 'Basic YWxpY2U6\tc2VjcmV0'],
  ['a line end within, as MIME folds', 'Basic YWxpY2U6\r\n c2VjcmV0'],
  ['a NUL at the end', `${basic('alice:secret')}\0`],
  ['padding in front', 'Basic ==YWxpY2U6c2VjcmV0'],
  ['padding in the middle', 'Basic YWxp==Y2U6c2VjcmV0'],
  ['padding alone', 'Basic =='],
  ['an asterisk', 'Basic *'],
  ['quotes', `Basic "${base64('alice:secret')}"`],
  ['angle brackets', `Basic <${base64('alice:secret')}>`],
  ['a parameter after it', `${basic('alice:secret')}; charset=utf-8`],
  ['a parameter in place of it', `Basic credentials=${base64('alice:secret')}`],
  ['a letter beyond ASCII', 'Basic YWxpY2U6c2VjcmV0é'],
  ['full-width letters', 'Basic ＹＷxpY2U6c2VjcmV0'],
  ['one letter, which is no byte', 'Basic Y'],
  ['two headers in one', `${basic('alice:secret')}, ${basic('bob:secret')}`],
  ['two headers', [basic('alice:secret'), basic('alice:secret')]],
  ['two headers of two schemes', [basic('alice:secret'), 'Bearer abc']],
  // Pairs that are none
  ['no colon', basic('alice')],
  ['nothing but a colon', basic(':')],
  ['no name', basic(':secret')],
  ['a NUL', basic('\0')],
  ['a NUL in the name', basic('ali\0ce:secret')],
  ['a NUL after the name', basic('alice\0:secret')],
  ['a NUL in the password', basic('alice:sec\0ret')],
  ['a NUL after the password', basic('alice:secret\0')],
  ['a line feed in the name', basic('alice\n:secret')],
  ['a line feed after the password', basic('alice:secret\n')],
  ['a line end and a header', basic('alice:secret\r\nx-user: root')],
  ['a tab in the name', basic('ali\tce:secret')],
  ['an escape in the name', basic('\u001b[31malice:secret')],
  ['a delete in the password', basic('alice:secret\u007f')],
  ['a backspace in the password', basic('alice:secrets\b')],
  ['Latin-1', basic(latin1('j\xfcrgen:secret'))],
  ['Latin-1 in the password', basic(latin1('alice:p\xe4ss'))],
  ['UTF-16', basic(Buffer.from('alice:secret', 'utf16le'))],
  ['an overlong colon', basic(latin1('alice\xc0\xbasecret'))],
  ['an overlong letter in the name', basic(latin1('\xc1\xa1lice:secret'))],
  ['half a surrogate pair', basic(latin1('alice:\xed\xa0\x80'))],
  ['a character cut off', basic(latin1('alice:\xe2\x82'))],
  ['bytes that are no text', basic(Uint8Array.of(0xff, 0xfe, 0x3a, 0xff))],
  ['a full-width colon', basic('alice：secret')],
  // Tokens that are none
  ['a token with a space', 'Bearer a b'],
  ['a token with a comma', 'Bearer a,b'],
  ['a token in quotes', 'Bearer "abc"'],
  ['a token with a letter beyond ASCII', 'Bearer é'],
  ['a token with a line end', 'Bearer a\r\nx-user: root'],
  ['a token with a NUL', 'Bearer a\0'],
  ['a token with a semicolon', 'Bearer a;b'],
  ['a token with a colon', 'Bearer a:b'],
  ['a token with padding in the middle', 'Bearer a=b'],
  ['a token of padding', 'Bearer ='],
  ['a token as a parameter', 'Bearer token="abc"'],
  ['a token that is a template', 'Bearer {{token}}'],
  ['a token that is a script', 'Bearer <script>'],
  // Lengths
  ['more than any token has', `Bearer ${'a'.repeat(MAX_AUTHORIZATION_LENGTH - 6)}`],
  ['more than any password has', basic(`alice:${'x'.repeat(MAX_AUTHORIZATION_LENGTH)}`)],
  ['a megabyte of equals signs', `Basic ${'='.repeat(2 ** 20)}`],
  ['16 KiB of letters, and none that may end them', `Basic ${'a'.repeat(16_000)}!`],
]

rows('credentials cannot be read', unusable, async ([, authorization]) => {
  expect(read(authorization)).toEqual({ scheme: 'unusable' })
  // Nobody is taken for anonymous who tried to be somebody.
  for (const url of ['/v2/', '/v2/a/tags/list', '/v2/public/tags/list']) {
    expect(await attempt(authorization, url)).toEqual([401, 'UNAUTHORIZED', CHALLENGE])
  }
})

const wrong: readonly (readonly [string, string, string, string])[] = [
  ['another name', basic('bob:secret'), 'bob', 'secret'],
  ['another password', basic('alice:Secret'), 'alice', 'Secret'],
  ['no password', basic('alice:'), 'alice', ''],
  ['a space in front of the name', basic(' alice:secret'), ' alice', 'secret'],
  ['a space behind the name', basic('alice :secret'), 'alice ', 'secret'],
  ['a space in front of the password', basic('alice: secret'), 'alice', ' secret'],
  ['a space behind the password', basic('alice:secret '), 'alice', 'secret '],
  ['the name in upper case', basic('ALICE:secret'), 'ALICE', 'secret'],
  ['a colon behind the password', basic('alice:secret:'), 'alice', 'secret:'],
  ['a colon in front of the password', basic('alice::secret'), 'alice', ':secret'],
  ['a byte order mark', basic('\ufeffalice:secret'), '\ufeffalice', 'secret'],
  ['a space without width', basic('alice\u200b:secret'), 'alice\u200b', 'secret'],
  ['letters that look the same', basic('аlice:secret'), 'аlice', 'secret'],
  ['full-width letters', basic('ａlice:secret'), 'ａlice', 'secret'],
  ['percent signs', basic('%61lice:secret'), '%61lice', 'secret'],
  ['a plus sign', basic('alice:secret+'), 'alice', 'secret+'],
  ['quotes', basic('"alice":"secret"'), '"alice"', '"secret"'],
  ['a query of SQL', basic("alice'--:x"), "alice'--", 'x'],
  ['a filter of LDAP', basic('*)(uid=*:x'), '*)(uid=*', 'x'],
  ['a shell’s substitution', basic('$(id):x'), '$(id)', 'x'],
  ['a path', basic('../../etc/passwd:x'), '../../etc/passwd', 'x'],
  ['__proto__', basic('__proto__:x'), '__proto__', 'x'],
  ['constructor', basic('constructor:x'), 'constructor', 'x'],
  [
    'a token for a password',
    basic('oauth2accesstoken:eyJhbGciOiJub25lIn0.e30.'),
    'oauth2accesstoken',
    'eyJhbGciOiJub25lIn0.e30.',
  ],
  ['a name that is a number', basic('0:0'), '0', '0'],
  ['a replacement character', basic('alice:\ufffd'), 'alice', '\ufffd'],
  ['10,000 characters', basic(`alice:${'x'.repeat(10_000)}`), 'alice', 'x'.repeat(10_000)],
  ['accents apart', basic('e\u0301:x'), 'e\u0301', 'x'],
]

rows('credentials are wrong', wrong, async ([, authorization, username, password]) => {
  expect(read(authorization)).toEqual({ scheme: 'basic', username, password })
  for (const url of ['/v2/', '/v2/a/tags/list', '/v2/public/tags/list']) {
    expect(await attempt(authorization, url)).toEqual([401, 'UNAUTHORIZED', CHALLENGE])
  }
})

rows(
  'credentials are odd and right',
  [
    ['as they should be', basic('alice:secret')],
    ['BASIC', basic('alice:secret').replace('Basic', 'BASIC')],
    ['bAsIc', basic('alice:secret').replace('Basic', 'bAsIc')],
    ['more spaces after the scheme', basic('alice:secret').replace(' ', '     ')],
    ['spaces behind', `${basic('alice:secret')}   `],
    ['a tab behind', `${basic('alice:secret')}\t`],
    ['more padding than there is to fill', `${basic('alice:secret')}====`],
    ['in a list of one', [basic('alice:secret')]],
  ],
  async ([, authorization]) => {
    const sent = typeof authorization === 'string' ? authorization : [...authorization]
    expect(read(sent)).toEqual({ scheme: 'basic', username: 'alice', password: 'secret' })
    expect(await attempt(sent, '/v2/a/tags/list')).toEqual([404, 'NAME_UNKNOWN', undefined])
  },
)

rows(
  'other headers are no credentials',
  [
    ['Proxy-Authorization', { 'proxy-authorization': basic('alice:secret') }],
    ['X-Authorization', { 'x-authorization': basic('alice:secret') }],
    ['Authentication', { authentication: basic('alice:secret') }],
    ['a cookie', { cookie: `authorization=${base64('alice:secret')}` }],
    ['X-Registry-Auth', { 'x-registry-auth': base64('{"username":"alice","password":"secret"}') }],
    ['X-Forwarded-User', { 'x-forwarded-user': 'alice', 'x-remote-user': 'alice', 'remote-user': 'alice' }],
    ['X-WWW-Authenticate', { 'www-authenticate': basic('alice:secret') }],
  ],
  async ([, headers]) => {
    const { status, error } = await guarded.ask('GET', '/v2/a/tags/list', { headers: { ...headers } })
    expect([status, error.code]).toEqual([401, 'UNAUTHORIZED'])
  },
)

rows(
  'a URL holds no credentials',
  ['access_token=abc', 'token=abc', 'account=alice', 'authorization=Basic%20YWxpY2U6c2VjcmV0', 'u=alice&p=secret'],
  async (query) => {
    expect(await attempt(undefined, `/v2/a/tags/list?${query}`)).toEqual([401, 'UNAUTHORIZED', CHALLENGE])
  },
)

// Bearer tokens, at a registry where alice's lets her pull from team/app.

const REALM = 'https://issuer.test/token'
const OTHER_RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const SCOPED = `Bearer realm="${REALM}",service="${SERVICE}",scope="repository:team/app:pull"`

const byToken = world({
  refusalHeaders: {
    'www-authenticate': /^Bearer realm="https:\/\/issuer\.test\/token",service="registry\.test"[a-z:/=,"_]*$/,
  },
  access: tokenAccess({
    service: SERVICE,
    realm: REALM,
    issuers: [
      { issuer: ISSUER, keys: keysOf(EC.publicKey, RSA.publicKey) },
      { issuer: 'https://strict.test', keys: keysOf(RSA.publicKey), algorithms: ['PS256'] },
    ],
    date: () => NOW * 1000,
  }),
})

async function bear(bearer: string): Promise<readonly unknown[]> {
  const headers = { authorization: `Bearer ${bearer}` }
  const { status, error, headers: answered } = await byToken.ask('GET', '/v2/team/app/tags/list', { headers })
  return [status, error.code, answered['www-authenticate']]
}

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const PULL = { type: 'repository', name: 'team/app', actions: ['pull'] }
const GOOD = { iss: ISSUER, sub: 'alice', aud: SERVICE, iat: NOW, nbf: NOW, exp: NOW + 300, access: [PULL] }

/** What is signed in order, whatever it says. */
function signed(header: unknown, payload: unknown): string {
  const input = `${part(header)}.${part(payload)}`
  const signature = sign('sha256', Buffer.from(input), { key: EC.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
const ES256 = { alg: 'ES256', typ: 'JWT' }

/** Signed with a secret that everybody knows: the text of the public key. */
function confused(alg: string): string {
  const input = `${part({ alg, typ: 'JWT' })}.${part(GOOD)}`
  const secret = EC.publicKey.export({ type: 'spki', format: 'pem' })
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const parts = (text: string) => text.split('.') as [string, string, string]

/** A good token, spoilt by hand. */
const spoilt = (how: (header: string, payload: string, signature: string) => string) => async () =>
  how(...parts(await token()))

const forged: readonly (readonly [string, () => string | Promise<string>])[] = [
  // Forms
  ['one part', () => 'abc'],
  ['two parts', spoilt((header, payload) => `${header}.${payload}`)],
  ['four parts', spoilt((...all) => `${all.join('.')}.x`)],
  ['five parts, as if encrypted', () => 'a.b.c.d.e'],
  ['dots alone', () => '..'],
  ['a thousand dots', () => '.'.repeat(1000)],
  ['no header', spoilt((_, payload, signature) => `.${payload}.${signature}`)],
  ['no payload', spoilt((header, _, signature) => `${header}..${signature}`)],
  ['no signature', spoilt((header, payload) => `${header}.${payload}.`)],
  ['a header that is no base64', spoilt((_, payload, signature) => `~~.${payload}.${signature}`)],
  ['a header that is no JSON', spoilt((_, payload, signature) => `${part('{')}.${payload}.${signature}`)],
  ['a payload that is no JSON', () => signed(ES256, 'x')],
  ['a header that is a list', () => signed([ES256], GOOD)],
  ['a header that is null', () => signed('null', GOOD)],
  ['a payload that is a list', () => signed(ES256, [GOOD])],
  ['a payload that is a text', () => signed(ES256, '"x"')],
  ['a payload that is null', () => signed(ES256, 'null')],
  ['a header of 100,000 brackets', () => `${part('['.repeat(10_000))}.${part(GOOD)}.AAAA`],
  // Signatures
  [
    'a signature of other content',
    spoilt((header, _, signature) => `${header}.${part({ ...GOOD, sub: 'root' })}.${signature}`),
  ],
  [
    'a signature of another header',
    spoilt((_, payload, signature) => `${part({ ...ES256, x: 1 })}.${payload}.${signature}`),
  ],
  ['a signature cut off', spoilt((header, payload, signature) => `${header}.${payload}.${signature.slice(0, -4)}`)],
  ['a signature with more behind it', spoilt((header, payload, signature) => `${header}.${payload}.${signature}AAAA`)],
  ['a signature of zeros', spoilt((header, payload) => `${header}.${payload}.${'A'.repeat(86)}`)],
  [
    'a signature in ASN.1',
    () => {
      const input = `${part(ES256)}.${part(GOOD)}`
      return `${input}.${sign('sha256', Buffer.from(input), EC.privateKey).toString('base64url')}`
    },
  ],
  ['a key that is not trusted', () => token({ key: OTHER_EC.privateKey })],
  ['the key of another algorithm', () => token({ header: { alg: 'RS256' }, key: OTHER_RSA.privateKey })],
  // Algorithms
  ['none', () => handmade({ alg: 'none' }, GOOD, '')],
  ['None', () => handmade({ alg: 'None' }, GOOD, '')],
  ['NONE, and a signature', () => handmade({ alg: 'NONE' }, GOOD)],
  ['no algorithm', () => handmade({ typ: 'JWT' }, GOOD)],
  ['null for an algorithm', () => handmade({ alg: null }, GOOD)],
  ['an algorithm in a list', () => handmade({ alg: ['ES256'] }, GOOD)],
  ['an algorithm in lower case', () => signed({ alg: 'es256' }, GOOD)],
  ['a shared secret that is our public key', () => confused('HS256')],
  ['a shared secret under our algorithm', () => confused('ES256')],
  ['a shared secret of nothing', () => handmade({ alg: 'HS256' }, GOOD, createHmac('sha256', '').digest('base64url'))],
  ['an algorithm of the key’s other family', () => signed({ alg: 'RS256' }, GOOD)],
  ['an algorithm of another curve', () => signed({ alg: 'ES384' }, GOOD)],
  ['an algorithm that is a path', () => handmade({ alg: '../../none' }, GOOD)],
  ['an algorithm of every object', () => handmade({ alg: '__proto__' }, GOOD)],
  [
    'an algorithm that the issuer does not use',
    () => token({ claims: { iss: 'https://strict.test' }, header: { alg: 'RS256' }, key: RSA.privateKey }),
  ],
  // Headers
  ['its own key', () => token({ header: { jwk: jwkOf(OTHER_EC.publicKey) }, key: OTHER_EC.privateKey })],
  ['a URL of keys', () => token({ header: { jku: 'https://evil.test/keys' }, key: OTHER_EC.privateKey })],
  ['a URL of certificates', () => token({ header: { x5u: 'file:///etc/ssl/cert.pem' }, key: OTHER_EC.privateKey })],
  ['certificates that are none', () => signed({ ...ES256, x5c: 'x' }, GOOD)],
  ['certificates of numbers', () => signed({ ...ES256, x5c: [1] }, GOOD)],
  ['a key id that nobody has', () => token({ header: { kid: 'x' } })],
  ['a key id that is a path', () => token({ header: { kid: '../../../../dev/null' } })],
  ['a key id of SQL', () => token({ header: { kid: "x' UNION SELECT 'key" } })],
  ['a key id that is empty', () => token({ header: { kid: '' } })],
  ['a key id that is a number', () => signed({ ...ES256, kid: 1 }, GOOD)],
  ['a key id that is an object', () => signed({ ...ES256, kid: { x: 1 } }, GOOD)],
  ['a header that has to be understood', () => token({ header: { crit: ['x'], x: 1 } })],
  ['an empty list of what has to be understood', () => signed({ ...ES256, crit: [] }, GOOD)],
  ['a payload that is not encoded', () => signed({ ...ES256, b64: false, crit: ['b64'] }, GOOD)],
  ['a type that is no token of access', () => token({ header: { typ: 'id_token+jwt' } })],
  ['a type that is an event', () => token({ header: { typ: 'secevent+jwt' } })],
  ['a type that is a number', () => signed({ ...ES256, typ: 1 }, GOOD)],
  // Issuers, and whom it is for
  ['no issuer', () => token({ claims: { iss: undefined } })],
  ['an issuer that is empty', () => token({ claims: { iss: '' } })],
  ['an issuer nobody trusts', () => token({ claims: { iss: 'https://evil.test' } })],
  ['an issuer with a slash more', () => token({ claims: { iss: `${ISSUER}/` } })],
  ['an issuer in upper case', () => token({ claims: { iss: ISSUER.toUpperCase() } })],
  ['an issuer in a list', () => token({ claims: { iss: [ISSUER] } })],
  ['an issuer of another’s key', () => token({ claims: { iss: 'https://strict.test' } })],
  ['no audience', () => token({ claims: { aud: undefined } })],
  ['an audience that is empty', () => token({ claims: { aud: '' } })],
  ['no audience in a list', () => token({ claims: { aud: [] } })],
  ['another audience', () => token({ claims: { aud: 'other.test' } })],
  ['an audience that ours begins with', () => token({ claims: { aud: 'registry' } })],
  ['an audience that begins with ours', () => token({ claims: { aud: `${SERVICE}.evil.test` } })],
  ['any audience', () => token({ claims: { aud: '*' } })],
  ['an audience in an object', () => token({ claims: { aud: { [SERVICE]: true } } })],
  // Times
  ['no end', () => token({ claims: { exp: undefined } })],
  ['an end that is past', () => token({ claims: { exp: NOW - 61 } })],
  ['an end that is just past', () => token({ claims: { exp: NOW - 60 } })],
  ['an end in 1970', () => token({ claims: { exp: 0 } })],
  ['an end before that', () => token({ claims: { exp: -1 } })],
  ['an end in a text', () => token({ claims: { exp: String(NOW + 300) } })],
  ['an end that is null', () => token({ claims: { exp: null } })],
  ['an end beyond all numbers', () => signed(ES256, JSON.stringify(GOOD).replace(String(NOW + 300), '-1e400'))],
  ['a beginning that is to come', () => token({ claims: { nbf: NOW + 61 } })],
  ['a beginning in a text', () => token({ claims: { nbf: 'now' } })],
  ['made in the future', () => token({ claims: { iat: NOW + 61 } })],
  ['made at a time in a text', () => token({ claims: { iat: 'now' } })],
  // What it is for
  ['a subject that is a number', () => token({ claims: { sub: 1 } })],
  ['a subject that is an object', () => token({ claims: { sub: { name: 'root' } } })],
  ['access in a text', () => token({ claims: { access: 'repository:team/app:pull' } })],
  ['access in an object', () => token({ claims: { access: PULL } })],
  ['access of texts', () => token({ claims: { access: ['repository:team/app:pull'] } })],
  ['access of null', () => token({ claims: { access: [null] } })],
  ['access without actions', () => token({ claims: { access: [{ ...PULL, actions: undefined }] } })],
  ['actions in a text', () => token({ claims: { access: [{ ...PULL, actions: 'pull' }] } })],
  ['actions that are numbers', () => token({ claims: { access: [{ ...PULL, actions: [1] }] } })],
  ['a name in a list', () => token({ claims: { access: [{ ...PULL, name: ['team/app'] }] } })],
  ['1,001 entries', () => token({ claims: { access: Array(1001).fill({ ...PULL, name: 'a' }) } })],
]

rows('a token is worth nothing', forged, async ([, make]) => {
  expect(await bear(await make())).toEqual([401, 'UNAUTHORIZED', `${SCOPED},error="invalid_token"`])
})

const narrow: readonly (readonly [string, readonly unknown[] | undefined])[] = [
  ['no claim', undefined],
  ['nothing', []],
  ['push', [{ ...PULL, actions: ['push'] }]],
  ['no actions', [{ ...PULL, actions: [] }]],
  ['PULL', [{ ...PULL, actions: ['PULL'] }]],
  ['two actions in one', [{ ...PULL, actions: ['pull,push'] }]],
  ['another repository', [{ ...PULL, name: 'team/app2' }]],
  ['what is above', [{ ...PULL, name: 'team' }]],
  ['what is below', [{ ...PULL, name: 'team/app/x' }]],
  ['a pattern', [{ ...PULL, name: 'team/*', actions: ['*'] }]],
  ['everything', [{ ...PULL, name: '*', actions: ['*'] }]],
  ['a climb', [{ ...PULL, name: 'team/x/../app' }]],
  ['a slash at the end', [{ ...PULL, name: 'team/app/' }]],
  ['upper case', [{ ...PULL, name: 'Team/App' }]],
  ['another type', [{ ...PULL, type: 'registry' }]],
  ['a plugin', [{ ...PULL, type: 'repository(plugin)' }]],
  ['the actions in the name', [{ ...PULL, name: 'team/app:pull' }]],
  ['a type that brings the name along', [{ type: 'repository:team/app', name: '', actions: ['pull'] }]],
]

rows('a token is good, and for something else', narrow, async ([, access]) => {
  const bearer = await token({ claims: { access } })
  expect(await bear(bearer)).toEqual([401, 'UNAUTHORIZED', `${SCOPED},error="insufficient_scope"`])
})

const accepted: readonly (readonly [string, TokenFields])[] = [
  ['as it should be', {}],
  ['signed with RSA', { header: { alg: 'PS512' }, key: RSA.privateKey }],
  ['without a type', { header: { typ: undefined } }],
  ['of a type in full', { header: { typ: 'application/AT+JWT' } }],
  ['without a subject', { claims: { sub: undefined } }],
  ['whose end is just not past', { claims: { exp: NOW - 59 } }],
  ['that begins in a minute', { claims: { nbf: NOW + 60 } }],
  ['for several audiences', { claims: { aud: ['other.test', SERVICE] } }],
  ['for all actions', { claims: { access: [{ ...PULL, actions: ['*'] }] } }],
  ['with actions nobody knows', { claims: { access: [{ ...PULL, actions: ['fly', 'pull'] }] } }],
  ['with keys that are not looked at', { header: { jku: 'https://evil.test', jwk: {} } }],
]

rows('a token is taken', accepted, async ([, fields]) => {
  expect(await bear(await token(fields))).toEqual([404, 'NAME_UNKNOWN', undefined])
})
