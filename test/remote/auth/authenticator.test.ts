import { describe, expect, it } from 'vitest'
import { Authenticator, type AuthenticatorOptions } from '../../../src/remote/auth/authenticator.ts'
import type { Credentials } from '../../../src/remote/credentials/credentials.ts'
import { urlRules } from '../../../src/remote/transport/url-rules.ts'
import { plainSend } from '../support/plain-send.ts'
import { type Answerer, recordingServers } from '../support/recording-server.ts'

const PULL = ['repository:team/app:pull']
const PUSH = ['repository:team/app:pull,push']
const BOB: Credentials = { username: 'bob', password: 'pa:ss wörd' }
const BOB_BASIC = `Basic ${Buffer.from('bob:pa:ss wörd').toString('base64')}`
const CLIENT = 'client_id=wharfage'

const start = recordingServers()

type Options = Partial<AuthenticatorOptions> & { readonly credentials?: AuthenticatorOptions['credentials'] }

/** The clock of a test: stands still until it is moved. */
function stoppedClock() {
  let ms = Date.parse('2030-01-01T00:00:00Z')
  const move = (by: number) => {
    ms += by
  }
  return { now: () => ms, move }
}

function authenticator(registry: string, options: Options & { realms?: readonly string[]; given?: Credentials } = {}) {
  const { realms = [], given, ...rest } = options
  return new Authenticator({
    name: 'registry.example',
    rules: urlRules(new URL(registry), { realms }),
    send: plainSend,
    ...(given && { credentials: () => Promise.resolve(given) }),
    ...rest,
  })
}

/** Closed until it is opened. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

function challenge(text: string, sent?: string) {
  return { headers: { 'www-authenticate': text }, sent }
}

/** A token server on the registry's own origin, which is what most have. */
async function tokenServer(answer: Answerer = () => ({ body: { token: 'T1' } })) {
  const server = await start(answer)
  return { ...server, bearer: (more = '') => `Bearer realm="${server.origin}/token",service="r"${more}` }
}

describe('Authenticator, of a registry that is open', () => {
  it('sends nothing, and asks for no credentials', async () => {
    let asked = 0
    const auth = authenticator('https://registry.example', {
      credentials: () => Promise.resolve(++asked > 0 ? BOB : undefined),
    })
    expect(await auth.authorization(PULL)).toBe(undefined)
    expect(asked).toBe(0)
  })
})

describe('Authenticator, of a registry with passwords', () => {
  it('sends the password once it is asked, and from then on at once', async () => {
    const auth = authenticator('https://registry.example', { given: BOB })
    expect(await auth.challenged(challenge('Basic realm="r"'), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe(BOB_BASIC)
    expect(await auth.authorization(['registry:catalog:*'])).toBe(BOB_BASIC)
  })

  it('answers each of many requests that nobody could have known better', async () => {
    const auth = authenticator('https://registry.example', { given: BOB })
    const many = Array.from({ length: 10 }, () => auth.challenged(challenge('Basic realm="r"'), PULL))
    expect(new Set(await Promise.all(many))).toEqual(new Set([true]))
  })

  it('gives up on a password that is refused, and says whose', async () => {
    const auth = authenticator('https://registry.example', { given: BOB })
    await auth.challenged(challenge('Basic realm="r"'), PULL)
    expect(await auth.challenged(challenge('Basic realm="r"', BOB_BASIC), PULL)).toBe(false)
    await expect(auth.refusal(challenge('Basic realm="r"').headers, PULL)).resolves.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'registry.example refuses the user "bob" (401): wharfage login registry.example',
    })
  })

  it('has nothing to send without credentials', async () => {
    const auth = authenticator('https://registry.example')
    expect(await auth.challenged(challenge('Basic realm="r"'), PULL)).toBe(false)
    expect(await auth.authorization(PULL)).toBe(undefined)
    await expect(auth.refusal(challenge('Basic realm="r"').headers, PULL)).resolves.toMatchObject({
      message: 'registry.example refuses what it was asked without a login (401): wharfage login registry.example',
    })
  })

  it('has no use for an identity token', async () => {
    const auth = authenticator('https://registry.example', { given: { identityToken: 'i' } })
    expect(await auth.challenged(challenge('Basic realm="r"'), PULL)).toBe(false)
    expect(await auth.authorization(PULL)).toBe(undefined)
  })

  it('asks again for a password that has ended, and not more often than it is worth', async () => {
    const clock = stoppedClock()
    const passwords = ['old', 'new', 'new', 'never']
    const auth = authenticator('https://registry.example', {
      now: clock.now,
      credentials: () => Promise.resolve({ username: 'AWS', password: passwords.shift() ?? '' }),
    })
    await auth.challenged(challenge('Basic realm="r"'), PULL)
    const old = await auth.authorization(PULL)
    expect(await auth.challenged(challenge('Basic realm="r"', old), PULL)).toBe(false)
    clock.move(12 * 60 * 60_000)
    expect(await auth.challenged(challenge('Basic realm="r"', old), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe(`Basic ${Buffer.from('AWS:new').toString('base64')}`)
    clock.move(10_000)
    expect(await auth.challenged(challenge('Basic realm="r"', await auth.authorization(PULL)), PULL)).toBe(false)
    expect(passwords).toEqual(['never'])
  })

  it.each(['Negotiate', '', 'Bearer realm="somewhere"', 'Bearer service="r"'])(
    'does not answer to %j',
    async (text) => {
      const auth = authenticator('https://registry.example', { given: BOB })
      expect(await auth.challenged(challenge(text), PULL)).toBe(false)
      expect(await auth.authorization(PULL)).toBe(undefined)
    },
  )
})

describe('Authenticator, of a registry with a token of its own', () => {
  it('sends it as it is, whatever the registry calls its realm', async () => {
    const auth = authenticator('https://registry.example', { given: { registryToken: 'R' } })
    expect(await auth.authorization(PULL)).toBe(undefined)
    expect(await auth.challenged(challenge('Bearer realm="somewhere"'), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe('Bearer R')
    expect(await auth.challenged(challenge('Bearer realm="somewhere"', 'Bearer R'), PULL)).toBe(false)
  })
})

describe('Authenticator, of a registry with tokens', () => {
  it('asks for what the challenge names, as nobody', async () => {
    const { origin, requests, bearer } = await tokenServer()
    const auth = authenticator(origin)
    expect(await auth.challenged(challenge(bearer(',scope="repository:team/app:pull"')), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe('Bearer T1')
    expect(requests.map(({ method, path }) => [method, path])).toEqual([
      ['GET', `/token?service=r&scope=repository%3Ateam%2Fapp%3Apull&${CLIENT}`],
    ])
    expect(requests[0]?.headers.authorization).toBe(undefined)
  })

  it('shows the token server the password', async () => {
    const { origin, requests, bearer } = await tokenServer()
    const auth = authenticator(origin, { given: BOB })
    expect(await auth.challenged(challenge(bearer()), PULL)).toBe(true)
    expect(requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      [`/token?service=r&scope=repository%3Ateam%2Fapp%3Apull&account=bob&${CLIENT}`, BOB_BASIC],
    ])
  })

  it('keeps the query that a realm has', async () => {
    const { origin, requests } = await tokenServer()
    const auth = authenticator(origin)
    await auth.challenged(challenge(`Bearer realm="${origin}/auth?tenant=a%26b&service=x"`), [])
    expect(requests[0]?.path).toBe(`/auth?tenant=a%26b&service=x&${CLIENT}`)
  })

  it('asks for all that a mount needs, and for what the challenge has beside it first', async () => {
    const { origin, requests, bearer } = await tokenServer()
    const auth = authenticator(origin)
    const mount = ['repository:team/app:push,pull', 'repository:team/base:pull']
    await auth.challenged(challenge(bearer(',scope="repository:team/app:pull,metadata_read"')), mount)
    expect(requests[0]?.query.getAll('scope')).toEqual([
      'repository:team/app:metadata_read,pull,push',
      'repository:team/base:pull',
    ])
    expect(await auth.authorization(mount)).toBe('Bearer T1')
    expect(requests).toHaveLength(1)
  })

  it('asks ahead for other scopes, and uses a token for all that it covers', async () => {
    const { origin, requests, bearer } = await tokenServer((_, count) => ({ body: { token: `T${count}` } }))
    const auth = authenticator(origin)
    await auth.challenged(challenge(bearer()), PULL)
    expect(await auth.authorization(PUSH)).toBe('Bearer T2')
    expect(await auth.authorization(PULL)).toBe('Bearer T2')
    expect(await auth.authorization([])).toBe('Bearer T2')
    expect(await auth.authorization(['repository:team/other:pull'])).toBe('Bearer T3')
    expect(requests).toHaveLength(3)
  })

  it('makes one request of those for the same scopes at once', async () => {
    const { origin, requests, bearer } = await tokenServer((_, count) => ({ body: { token: `T${count}` } }))
    const auth = authenticator(origin)
    const many = Array.from({ length: 50 }, () => auth.challenged(challenge(bearer()), PULL))
    expect(new Set(await Promise.all(many))).toEqual(new Set([true]))
    expect(requests).toHaveLength(1)
  })

  it('takes what another request has learnt meanwhile', async () => {
    const { origin, requests, bearer } = await tokenServer((_, count) => ({ body: { token: `T${count}` } }))
    const clock = stoppedClock()
    const auth = authenticator(origin, { now: clock.now })
    await auth.challenged(challenge(bearer()), PULL)
    clock.move(20_000)
    expect(await auth.challenged(challenge(bearer(',error="invalid_token"'), 'Bearer T1'), PULL)).toBe(true)
    expect(await auth.challenged(challenge(bearer(',error="invalid_token"'), 'Bearer T1'), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe('Bearer T2')
    expect(requests).toHaveLength(2)
  })

  it('gives up on a token that is refused though it is new', async () => {
    const { origin, requests, bearer } = await tokenServer()
    const auth = authenticator(origin, { given: BOB })
    const insufficient = bearer(',scope="repository:team/app:pull,push",error="insufficient_scope"')
    expect(await auth.challenged(challenge(insufficient), PUSH)).toBe(true)
    expect(await auth.challenged(challenge(insufficient, 'Bearer T1'), PUSH)).toBe(false)
    expect(requests).toHaveLength(1)
    await expect(auth.refusal(challenge(insufficient).headers, PUSH)).resolves.toMatchObject({
      code: 'UNAUTHORIZED',
      message:
        'registry.example knows the user "bob", who may not do this (401): repository:team/app:pull,push. As somebody else: wharfage login registry.example',
    })
    await expect(auth.refusal(challenge(bearer(',error="invalid_token"')).headers, PUSH)).resolves.toMatchObject({
      message: 'registry.example refuses the user "bob" (401): wharfage login registry.example',
    })
  })

  it('asks for more where a new token is refused for its scope', async () => {
    const { origin, requests, bearer } = await tokenServer((_, count) => ({ body: { token: `T${count}` } }))
    const auth = authenticator(origin)
    await auth.challenged(challenge(bearer()), PULL)
    const more = bearer(',scope="repository:team/app:delete",error="insufficient_scope"')
    expect(await auth.challenged(challenge(more, 'Bearer T1'), PULL)).toBe(true)
    expect(requests[1]?.query.getAll('scope')).toEqual(['repository:team/app:delete,pull'])
    expect(await auth.authorization(PULL)).toBe('Bearer T2')
    expect(await auth.challenged(challenge(more, 'Bearer T2'), PULL)).toBe(false)
  })

  it('turns to the password where the registry wants it for some scopes, and to tokens for others', async () => {
    const { origin, bearer } = await tokenServer()
    const auth = authenticator(origin, { given: BOB })
    const catalog = ['registry:catalog:*']
    await auth.challenged(challenge(bearer()), PULL)
    expect(await auth.authorization(catalog)).toBe('Bearer T1')
    expect(await auth.challenged(challenge('Basic realm="harbor"', 'Bearer T1'), catalog)).toBe(true)
    expect(await auth.authorization(catalog)).toBe(BOB_BASIC)
    expect(await auth.authorization(PULL)).toBe('Bearer T1')
    expect(await auth.challenged(challenge('Basic realm="harbor"', BOB_BASIC), catalog)).toBe(false)
  })

  it('prefers tokens to passwords where both are offered', async () => {
    const { origin, bearer } = await tokenServer()
    const auth = authenticator(origin, { given: BOB })
    expect(await auth.challenged(challenge(`Basic realm="r", ${bearer()}`), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe('Bearer T1')
  })

  it('ends with the caller that is alone, and leaves the others theirs', async () => {
    const arrived = gate()
    const held = gate()
    const { origin, requests, bearer } = await tokenServer(async (_, count) => {
      arrived.open()
      await held.opened
      return { body: { token: `T${count}` } }
    })
    const auth = authenticator(origin)
    const leaving = new AbortController()
    const first = auth.challenged(challenge(bearer()), PULL, { signal: leaving.signal })
    const second = auth.challenged(challenge(bearer()), PULL)
    await arrived.opened
    leaving.abort(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    held.open()
    expect(await second).toBe(true)
    expect(requests).toHaveLength(1)
  })

  it('ends the request that nobody waits for any more', async () => {
    const left = gate()
    const alone = new AbortController()
    const { origin, requests, bearer } = await tokenServer((_, count) => {
      if (count > 1) return { body: { token: 'T' } }
      alone.abort(new Error('gone'))
      return left.opened.then(() => ({ status: 500 }))
    })
    const auth = authenticator(origin)
    await expect(auth.challenged(challenge(bearer()), PULL, { signal: alone.signal })).rejects.toThrow('gone')
    expect(await auth.challenged(challenge(bearer()), PULL)).toBe(true)
    expect(requests).toHaveLength(2)
    left.open()
  })
})

describe('Authenticator, of the life of a token', () => {
  it.each<[what: string, answer: object, livesMs: number]>([
    ['60 s where nothing is said', {}, 54_000],
    ['60 s where less is said', { expires_in: 1 }, 54_000],
    ['60 s where something else is said', { expires_in: 'long' }, 54_000],
    ['what is said, less a margin', { expires_in: 300 }, 270_000],
    ['a day at most', { expires_in: 1e300 }, 86_400_000 - 30_000],
    ['from when it was issued', { expires_in: 300, issued_at: '2029-12-31T23:58:20Z' }, 170_000],
    ['from now where it was issued later', { expires_in: 300, issued_at: '2030-01-01T01:00:00Z' }, 270_000],
    ['a minute where it would be over', { expires_in: 300, issued_at: '2029-01-01T00:00:00Z' }, 30_000],
    ['from now where that is no date', { expires_in: 300, issued_at: 'yesterday' }, 270_000],
  ])('is %s', async (_what, answer, livesMs) => {
    const clock = stoppedClock()
    const { origin, requests, bearer } = await tokenServer((_, count) => ({ body: { token: `T${count}`, ...answer } }))
    const auth = authenticator(origin, { now: clock.now })
    await auth.challenged(challenge(bearer()), PULL)
    clock.move(livesMs - 1)
    expect(await auth.authorization(PULL)).toBe('Bearer T1')
    clock.move(1)
    expect(await auth.authorization(PULL)).toBe('Bearer T2')
    expect(requests).toHaveLength(2)
  })

  it('asks again for one that is refused before its end', async () => {
    const clock = stoppedClock()
    const { origin, bearer } = await tokenServer((_, count) => ({ body: { token: `T${count}`, expires_in: 3_600 } }))
    const auth = authenticator(origin, { now: clock.now })
    await auth.challenged(challenge(bearer()), PULL)
    clock.move(10_000)
    expect(await auth.challenged(challenge(bearer(',error="invalid_token"'), 'Bearer T1'), PULL)).toBe(true)
    expect(await auth.authorization(PULL)).toBe('Bearer T2')
    expect(await auth.challenged(challenge(bearer(',error="invalid_token"'), 'Bearer T2'), PULL)).toBe(false)
  })

  it('asks for credentials anew when the token server refuses those that it knows', async () => {
    const clock = stoppedClock()
    const passwords = ['old', 'new']
    const { origin, requests, bearer } = await tokenServer(({ headers }) =>
      headers.authorization === `Basic ${Buffer.from('u:new').toString('base64')}`
        ? { body: { token: 'T1' } }
        : { status: 401 },
    )
    const auth = authenticator(origin, {
      now: clock.now,
      credentials: () => Promise.resolve({ username: 'u', password: passwords.shift() ?? '' }),
    })
    await expect(auth.challenged(challenge(bearer()), PULL)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    clock.move(10_000)
    expect(await auth.challenged(challenge(bearer()), PULL)).toBe(true)
    expect(requests).toHaveLength(3)
  })
})

describe('Authenticator, of whom it trusts', () => {
  it('asks a token server on another origin as nobody, and says what would change that', async () => {
    const registry = await start(() => ({}))
    const other = await start(() => ({ status: 401 }))
    const rules = urlRules(new URL(registry.origin), { origins: [other.origin] })
    const auth = authenticator(registry.origin, { given: BOB, rules })
    const text = `Bearer realm="${other.origin}/token",service="r"`
    await expect(auth.challenged(challenge(text), PULL)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: `the token server of registry.example, ${new URL(other.origin).host}, refuses what it was asked without a login (401): ${new URL(other.origin).host} is given the credentials for registry.example only where realms: ['${other.origin}'] allows it`,
    })
    expect(other.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      [`/token?service=r&scope=repository%3Ateam%2Fapp%3Apull&${CLIENT}`, undefined],
    ])
  })

  it.each(['may be called', 'may not'])(
    'uses the password instead, where the registry itself takes it and the token server %s',
    async (calls) => {
      const registry = await start(() => ({}))
      const other = await start(() => ({ body: { token: 'T1' } }))
      const origins = calls === 'may be called' ? [other.origin] : []
      const rules = urlRules(new URL(registry.origin), { origins })
      const auth = authenticator(registry.origin, { given: BOB, rules })
      const text = `Bearer realm="${other.origin}/token",service="r", Basic realm="r"`
      expect(await auth.challenged(challenge(text), PULL)).toBe(true)
      expect(await auth.authorization(PULL)).toBe(BOB_BASIC)
      expect(other.requests).toEqual([])
    },
  )

  it('gives credentials to a token server that the operator lists', async () => {
    const registry = await start(() => ({}))
    const other = await start(() => ({ body: { token: 'T1' } }))
    const auth = authenticator(registry.origin, { given: BOB, realms: [`${other.origin}/`] })
    await auth.challenged(challenge(`Bearer realm="${other.origin}/token",service="r"`), PULL)
    expect(other.requests[0]?.headers.authorization).toBe(BOB_BASIC)
  })

  it('calls no token server that has a private address and is not listed', async () => {
    const registry = await start(() => ({}))
    const other = await start(() => ({ body: { token: 'T1' } }))
    const auth = authenticator(registry.origin, { given: BOB })
    await expect(auth.challenged(challenge(`Bearer realm="${other.origin}/token"`), PULL)).rejects.toMatchObject({
      code: 'DENIED',
    })
    expect(other.requests).toEqual([])
  })
})
