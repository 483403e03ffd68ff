import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcrypt'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type HtpasswdOptions, htpasswd } from '../../../src/auth/basic/htpasswd.ts'
import type { CheckCredentials } from '../../../src/auth/identity.ts'
import { silentLogger } from '../../../src/logger.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { withResolvers } from '../../support/with-resolvers.ts'
import { accessContext } from '../support.ts'

/** As Apache's `htpasswd -nbB` wrote them: of `wonderland`, `pass wörd` and `a:b:c`. */
const ALICE = 'alice:$2y$05$1FO/fH7CyQpAq3COgk07X.d8q9toBLMsvsvzIpcWAIRtQsSma9eCq\n'
const JOERG = 'jörg:$2y$04$5ENFocQYkeDoP.fN2ZUK7.oyryGIcds8NN4DezU98EHV4RF2NiUgK\n'
const BOB = 'bob:$2y$04$j2JLlU.o2HGr4w6ImfL1dONBZIIZyAol4.yrKpTEYpePGB540na4q\n'

const temporaryDirectory = temporaryDirectories()

const loginTo = (check: CheckCredentials) => async (username: string, password: string) => {
  const identity = await check({ username, password }, accessContext())
  return identity && { subject: identity.subject }
}

async function users(text: string, options: Partial<HtpasswdOptions> = {}) {
  const file = join(await temporaryDirectory(), 'htpasswd')
  await writeFile(file, text)
  return { file, login: loginTo(htpasswd({ file, logger: silentLogger, ...options })) }
}

/** Says yes to `right`, and remembers which hashes it was asked about. */
function comparing() {
  const asked: string[] = []
  const compare = async (password: string, hash: string) => {
    asked.push(hash)
    return password === 'right'
  }
  return { asked, compare }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('htpasswd', () => {
  it.each([
    ['alice', 'wonderland', true],
    ['jörg', 'pass wörd', true],
    ['bob', 'a:b:c', true],
    ['alice', 'Wonderland', false],
    ['alice', '', false],
    ['Alice', 'wonderland', false],
    ['bob', 'wonderland', false],
    ['nobody', 'wonderland', false],
    ['', '', false],
    ['__proto__', 'x', false],
  ])('says of %j with %j: %j', async (username, password, right) => {
    const { login } = await users(ALICE + JOERG + BOB)
    expect(await login(username, password)).toEqual(right ? { subject: username } : undefined)
  })

  it('never hashes on the event loop', async () => {
    const sync = [vi.spyOn(bcrypt, 'compareSync'), vi.spyOn(bcrypt, 'hashSync')]
    const { login } = await users(BOB)
    expect(await login('bob', 'a:b:c')).toEqual({ subject: 'bob' })
    for (const spy of sync) expect(spy).not.toHaveBeenCalled()
  })

  it('takes every password that bcrypt can tell from others', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .string({ unit: 'grapheme', minLength: 1 })
          .filter((text) => Buffer.byteLength(text) <= 72 && !text.includes('\0')),
        async (password) => {
          const { login } = await users(`x:${await bcrypt.hash(password, 4)}`)
          expect(await login('x', password)).toEqual({ subject: 'x' })
          expect(await login('x', `${password.slice(0, -1)}\u0001`)).toBeUndefined()
        },
      ),
      { numRuns: 20 },
    )
  })

  it('takes no password that bcrypt would cut off', async () => {
    const { login } = await users(`x:${await bcrypt.hash('a'.repeat(72), 4)}`)
    expect(await login('x', 'a'.repeat(72))).toEqual({ subject: 'x' })
    expect(await login('x', 'a'.repeat(73))).toBeUndefined()
    expect(await login('x', `${'a'.repeat(72)}\0b`)).toBeUndefined()
  })

  it('S07: does the same work for names that there are not', async () => {
    const { asked, compare } = comparing()
    const { login } = await users(ALICE + JOERG, { compare })
    await login('nobody', 'x')
    await login('alice', 'x'.repeat(73))
    expect(asked).toEqual([`$2b$05$${'.'.repeat(53)}`, `$2b$05$${'.'.repeat(53)}`])
    expect(await login('nobody', 'right')).toBeUndefined()
  })

  it.each([
    ['nobody', ['07']],
    ['costly', ['07']],
    ['cheap', ['04', '04', '05', '06']],
    ['between', ['06', '06']],
  ])('S07: does for %j the work of the costliest line, where costs differ', async (username, costs) => {
    const { asked, compare } = comparing()
    const rest = 'u'.repeat(53)
    const text = `cheap:$2y$04$${rest}\nbetween:$2b$06$${rest}\ncostly:$2y$07$${rest}\n`
    const { login } = await users(text, { compare })
    expect(await login(username, 'wrong')).toBeUndefined()
    expect(asked.map((hash) => hash.slice(4, 6))).toEqual(costs)
    expect(costs.reduce((work, cost) => work + 2 ** Number(cost), 0)).toBe(2 ** 7)
  })

  it('does no more work for a right password than its own line takes', async () => {
    const { asked, compare } = comparing()
    const { login } = await users(ALICE + JOERG, { compare })
    expect(await login('jörg', 'right')).toEqual({ subject: 'jörg' })
    expect(asked.map((hash) => hash.slice(0, 7))).toEqual(['$2b$04$'])
  })

  it('lets in nobody by a hash that stands in for others', async () => {
    const compare = async (_: string, hash: string) => hash.endsWith('.'.repeat(53))
    const { login } = await users(ALICE + JOERG, { compare })
    expect(await login('jörg', 'x')).toBeUndefined()
    expect(await login('nobody', 'x')).toBeUndefined()
    expect(await login('nobody', 'x')).toBeUndefined()
  })

  it('hashes once for a while, and once for requests that come together', async () => {
    const { asked, compare } = comparing()
    let now = 0
    const { login } = await users(ALICE, { compare, now: () => now })
    await Promise.all(Array.from({ length: 20 }, () => login('alice', 'right')))
    for (let i = 0; i < 20; i += 1) expect(await login('alice', 'right')).toEqual({ subject: 'alice' })
    expect(asked.length).toBe(1)
    now = 60_000
    await login('alice', 'right')
    expect(asked.length).toBe(2)
  })

  it('hashes wrong passwords each time', async () => {
    const { asked, compare } = comparing()
    const { login } = await users(ALICE, { compare })
    for (let i = 0; i < 3; i += 1) expect(await login('alice', 'wrong')).toBeUndefined()
    expect(asked.length).toBe(3)
  })

  it('lets go at once of whoever is taken out of the file, or has another password', async () => {
    const { compare } = comparing()
    let now = 0
    const { file, login } = await users(ALICE + JOERG, { compare, now: () => now })
    const replace = async (text: string) => {
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
      now += 1000
    }
    expect(await login('alice', 'right')).toEqual({ subject: 'alice' })
    await replace(JOERG)
    expect(await login('alice', 'right')).toBeUndefined()
    await replace(ALICE + JOERG)
    expect(await login('alice', 'right')).toEqual({ subject: 'alice' })
    const { asked, compare: again } = comparing()
    const other = await users(ALICE, { compare: again, now: () => now })
    await other.login('alice', 'right')
    await writeFile(other.file, ALICE.replace('$05$1', '$05$2'))
    now += 1000
    await other.login('alice', 'right')
    expect(new Set(asked).size).toBe(2)
  })

  it('tells who is in it, and whether their password is still the same', async () => {
    let now = 0
    const directory = await temporaryDirectory()
    const file = join(directory, 'htpasswd')
    await writeFile(file, ALICE)
    const users = htpasswd({ file, logger: silentLogger, now: () => now })
    const before = await users({ username: 'alice', password: 'wonderland' }, accessContext())
    expect(await users.identity('alice')).toEqual(before)
    expect(await users.identity('bob')).toBeUndefined()
    await writeFile(file, ALICE.replace('$05$1', '$05$2'))
    now += 1000
    const after = await users.identity('alice')
    expect([after?.subject, after?.revision === before?.revision]).toEqual(['alice', false])
    expect(JSON.stringify(after)).not.toContain('$05$')
  })

  it('goes on with the last good file when a new one is broken', async () => {
    const { compare } = comparing()
    let now = 0
    const { file, login } = await users(ALICE, { compare, now: () => now })
    await login('alice', 'right')
    await writeFile(file, 'alice:half a li')
    now += 1000
    expect(await login('alice', 'right')).toEqual({ subject: 'alice' })
  })

  it('says what is wrong with a file that there is not, or that is of another kind', async () => {
    const missing = loginTo(htpasswd({ file: '/nowhere/htpasswd', logger: silentLogger }))
    await expect(missing('alice', 'x')).rejects.toThrow('/nowhere/htpasswd: no such file')
    const { file, login } = await users('alice:{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=')
    await expect(login('alice', 'x')).rejects.toThrow(`${file}: line 1: "alice" has no bcrypt hash`)
  })

  it('N14: lets two hash at once and a hundred wait, and refuses more', async () => {
    let running = 0
    let most = 0
    const { promise, resolve } = withResolvers()
    const compare = async () => {
      most = Math.max(most, ++running)
      await promise
      running--
      return false
    }
    const { login } = await users(ALICE, { compare })
    const all = Array.from({ length: 110 }, async (_, i) => login('alice', String(i)))
    const results = Promise.allSettled(all)
    await vi.waitFor(() => expect(running).toBe(2))
    resolve()
    const refused = (await results).flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect([most, refused.length]).toEqual([2, 8])
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'TOOMANYREQUESTS', status: 429, headers: { 'retry-after': '1' } })
    }
    expect(await login('alice', 'later')).toBeUndefined()
  })

  it.each([
    [undefined, 'the option "file" must be the path of an htpasswd file, not undefined'],
    [{ file: '' }, 'the option "file" must be the path of an htpasswd file, not the string ""'],
    [{ file: 'x', cacheMs: -1 }, 'the option "cacheMs" must be a number, 0 or more, not the number -1'],
    [{ file: 'x', concurrency: 0 }, 'the option "concurrency" must be a positive integer, not the number 0'],
    [{ file: 'x', ttl: 1 }, 'htpasswd() has no option "ttl"'],
  ])('refuses the options %j', (options, message) => {
    expect(() => htpasswd(options as unknown as HtpasswdOptions)).toThrow(message)
  })
})
