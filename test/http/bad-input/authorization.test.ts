import { expect } from 'vitest'
import { authorizationOf, MAX_AUTHORIZATION_LENGTH } from '../../../src/auth/authorization.ts'
import { basicChallenge } from '../../../src/auth/challenge.ts'
import { type CheckCredentials, identityAccess } from '../../../src/auth/index.ts'
import { RegistryError } from '../../../src/errors.ts'
import type { HttpRequest } from '../../../src/http/message.ts'
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
