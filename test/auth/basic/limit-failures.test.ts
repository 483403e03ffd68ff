import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import bcrypt from 'bcrypt'
import { describe, expect, it } from 'vitest'
import { htpasswd } from '../../../src/auth/basic/htpasswd.ts'
import { type FailureLimits, limitFailures } from '../../../src/auth/basic/limit-failures.ts'
import type { CheckCredentials } from '../../../src/auth/identity.ts'
import { silentLogger } from '../../../src/logger.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { accessContext } from '../support.ts'

const temporaryDirectory = temporaryDirectories()

function limited(limits: FailureLimits = {}) {
  let now = 0
  let asked = 0
  const check: CheckCredentials = async ({ username, password }) => {
    asked++
    return password === 'right' ? { subject: username } : undefined
  }
  const login = limitFailures(check, { now: () => now, ...limits })
  return {
    asked: () => asked,
    pass: (ms: number) => {
      now += ms
    },
    /** `in`, `out`, or after how many seconds to come again. */
    login: async (username: string, password: string, address = '192.0.2.1') => {
      try {
        return (await login({ username, password }, accessContext({ address }))) === undefined ? 'out' : 'in'
      } catch (error) {
        expect(error).toMatchObject({ code: 'TOOMANYREQUESTS', status: 429 })
        return (error as { headers: Record<string, string> }).headers['retry-after']
      }
    },
  }
}

/** Guesses for one name that are wrong, when told so by their number. */
function held(limits: FailureLimits) {
  let now = 0
  const answers: (() => void)[] = []
  const check = () => new Promise<undefined>((resolve) => answers.push(() => resolve(undefined)))
  const login = limitFailures(check, { now: () => now, ...limits })
  return {
    guess: async (password: string) => login({ username: 'alice', password }, accessContext()),
    answer: (index: number) => answers[index]?.(),
    pass: (ms: number) => {
      now += ms
    },
  }
}

/** In use, after all else was let go. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

describe('limitFailures', () => {
  it('makes an address wait that has sent ten wrong passwords of one user', async () => {
    const { login, asked, pass } = limited()
    for (let i = 0; i < 10; i += 1) expect(await login('alice', 'wrong')).toBe('out')
    pass(20_000)
    expect(await login('alice', 'right')).toBe('40')
    expect(asked()).toBe(10)
    pass(40_000)
    expect(await login('alice', 'right')).toBe('in')
  })

  it('locks nobody out who comes from elsewhere, nor other users', async () => {
    const { login } = limited()
    for (let i = 0; i < 11; i += 1) await login('alice', 'wrong')
    expect(await login('alice', 'right', '192.0.2.2')).toBe('in')
    expect(await login('bob', 'right')).toBe('in')
  })

  it('begins anew after a right one', async () => {
    const { login } = limited()
    for (let i = 0; i < 9; i += 1) await login('alice', 'wrong')
    expect(await login('alice', 'right')).toBe('in')
    for (let i = 0; i < 10; i += 1) expect(await login('alice', 'wrong')).toBe('out')
  })

  it('makes an address wait that tries many names', async () => {
    const { login } = limited()
    for (let i = 0; i < 100; i += 1) expect(await login(`user-${i}`, 'wrong')).toBe('out')
    expect(await login('alice', 'right')).toBe('60')
    expect(await login('alice', 'right', '192.0.2.2')).toBe('in')
  })

  it.each([
    ['2001:db8::1', '2001:db8:0:0:ffff::2', '60'],
    ['2001:db8::1', '2001:db8:0:1::1', 'in'],
    ['::ffff:192.0.2.1', '192.0.2.1', '60'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', 'in'],
    ['192.0.2.1', '192.0.2.2', 'in'],
  ])('takes %s and %s for one network, or for two: %s', async (one, other, expected) => {
    const { login } = limited({ perAddress: 1 })
    await login('alice', 'wrong', one)
    expect(await login('bob', 'right', other)).toBe(expected)
  })

  it('lets no more guesses through that come at once than one after the other', async () => {
    const { login, asked } = limited()
    const guesses = Array.from({ length: 1000 }, (_, i) => login('alice', `wrong-${i}`))
    const answers = await Promise.all(guesses)
    expect(answers.filter((answer) => answer === 'out')).toHaveLength(10)
    expect(new Set(answers.slice(10))).toEqual(new Set(['1']))
    expect(asked()).toBe(10)
    expect(await login('alice', 'right')).toBe('60')
  })

  it('lets no more guesses of many names through that come at once', async () => {
    const { login, asked } = limited()
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => login(`user-${i}`, 'wrong')))
    expect(answers.filter((answer) => answer === 'out')).toHaveLength(100)
    expect(asked()).toBe(100)
  })

  it('lets in all requests of one client that come together, though it has failed before', async () => {
    const { login } = limited()
    for (let i = 0; i < 9; i += 1) expect(await login('alice', 'wrong')).toBe('out')
    const answers = await Promise.all(Array.from({ length: 200 }, () => login('alice', 'right')))
    expect(new Set(answers)).toEqual(new Set(['in']))
  })

  it('lets in all connections of a push at once, nothing remembered yet, beside wrong passwords', async () => {
    const file = join(await temporaryDirectory(), 'htpasswd')
    await writeFile(file, `alice:${await bcrypt.hash('right', 4)}\n`)
    const hashed: string[] = []
    const compare = (password: string, hash: string) => {
      hashed.push(password)
      return bcrypt.compare(password, hash)
    }
    const login = limitFailures(htpasswd({ file, logger: silentLogger, compare }), { perUser: 3 })
    const passwords = ['wrong', ...Array<string>(100).fill('right'), 'wronger', ...Array<string>(100).fill('right')]
    const identities = await Promise.all(
      passwords.map(async (password) => login({ username: 'alice', password }, accessContext())),
    )
    expect(identities.map((identity) => identity?.subject)).toEqual(
      passwords.map((password) => (password === 'right' ? 'alice' : undefined)),
    )
    expect(hashed.sort()).toEqual(['right', 'wrong', 'wronger'])
  })

  it('counts what is under way no more when it has ended, however it ended', async () => {
    const ends: ((failed: boolean) => void)[] = []
    const check = () =>
      new Promise<undefined>((resolve, reject) =>
        ends.push((failed) => (failed ? reject(new Error('the database is down')) : resolve(undefined))),
      )
    const login = limitFailures(check, { perUser: 2, now: () => 0 })
    const guess = (password: string) => login({ username: 'alice', password }, accessContext())
    const first = guess('a')
    const second = guess('b')
    await expect(guess('c')).rejects.toMatchObject({ status: 429 })
    ends[0]?.(true)
    await expect(first).rejects.toThrow('the database is down')
    const third = guess('c')
    ends[1]?.(false)
    ends[2]?.(false)
    expect(await Promise.all([second, third])).toEqual([undefined, undefined])
    await expect(guess('d')).rejects.toMatchObject({ status: 429, headers: { 'retry-after': '60' } })
  })

  it('counts requests that come together with the same wrong password as one failure', async () => {
    const { login } = limited({ perUser: 2 })
    const answers = await Promise.all(Array.from({ length: 200 }, () => login('alice', 'of yesterday')))
    expect(new Set(answers)).toEqual(new Set(['out']))
    expect(await login('alice', 'wrong')).toBe('out')
    expect(await login('alice', 'right')).toBe('60')
  })

  it('counts the same guess anew once one has been answered, though others are still being checked', async () => {
    const { guess, answer } = held({ perUser: 2 })
    const [first, second] = [guess('a'), guess('a')]
    answer(0)
    expect(await first).toBeUndefined()
    const third = guess('a')
    answer(2)
    answer(1)
    expect(await Promise.all([second, third])).toEqual([undefined, undefined])
    await expect(guess('b')).rejects.toMatchObject({ status: 429, headers: { 'retry-after': '60' } })
  })

  it('counts a failure that comes after its window has ended in a new one', async () => {
    const { guess, answer, pass } = held({ perUser: 2 })
    const first = guess('a')
    answer(0)
    await first
    pass(59_999)
    const late = guess('b')
    pass(2)
    answer(1)
    await late
    const third = guess('c')
    answer(2)
    await third
    await expect(guess('d')).rejects.toMatchObject({ status: 429, headers: { 'retry-after': '60' } })
  })

  it('keeps nothing of long names but that somebody failed', async () => {
    const { login, pass } = limited({ perAddress: 1_000_000, perUser: 1 })
    const name = (i: number) => String(i).padStart(8000, 'x')
    const before = heapBytes()
    for (let i = 0; i < 3000; i += 1) expect(await login(name(i), 'wrong')).toBe('out')
    expect(heapBytes() - before).toBeLessThan(3000 * 8000 * 0.2)
    expect(await login(name(0), 'wrong')).toBe('60')
    pass(60_000)
    expect(await login(name(0), 'right')).toBe('in')
  })

  it('does not count what cannot be told', async () => {
    const login = limitFailures(() => Promise.reject(new Error('the database is down')), { perUser: 1 })
    for (let i = 0; i < 3; i += 1) {
      await expect(login({ username: 'alice', password: 'x' }, accessContext())).rejects.toThrow('the database is down')
    }
  })

  it.each([
    [{ perUser: 0 }, 'the option "failures.perUser" must be a positive integer, not the number 0'],
    [{ perHost: 1 }, '"failures" has no option "perHost"'],
  ])('refuses %j', (limits, message) => {
    expect(() => limitFailures(() => undefined, limits as FailureLimits)).toThrow(message)
  })
})
