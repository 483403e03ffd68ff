import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PendingGuess, PendingGuesses } from '../../../src/auth/basic/pending-guesses.ts'

describe('PendingGuesses', () => {
  it('takes the same guesses for one, until the last has ended', () => {
    const pending = new PendingGuesses()
    const [one, same] = [pending.begin('alice', 'a'), pending.begin('alice', 'a')]
    const other = pending.begin('alice', 'b')
    const counts = () => ['a', 'b', 'c'].map((guess) => pending.others('alice', guess))
    expect(counts()).toEqual([1, 1, 2])
    one.end()
    expect(counts()).toEqual([1, 1, 2])
    same.end()
    expect(counts()).toEqual([1, 0, 1])
    other.end()
    expect(counts()).toEqual([0, 0, 0])
    expect(pending.size).toBe(0)
  })

  it('has one failure of those that came together, and one of who came after it', () => {
    const pending = new PendingGuesses()
    const [one, same] = [pending.begin('alice', 'a'), pending.begin('alice', 'a')]
    expect(one.fail()).toBe(true)
    const after = pending.begin('alice', 'a')
    expect([same.fail(), after.fail()]).toEqual([false, true])
  })

  it('still counts who came after an answer when those before have ended', () => {
    const pending = new PendingGuesses()
    const before = pending.begin('alice', 'a')
    before.fail()
    const after = pending.begin('alice', 'a')
    before.end()
    expect(pending.others('alice', 'b')).toBe(1)
    after.end()
    expect(pending.others('alice', 'b')).toBe(0)
  })

  it('keeps nothing of what has ended, in whatever order', () => {
    const step = fc.record({
      key: fc.constantFrom('alice', 'bob'),
      guess: fc.constantFrom('a', 'b'),
      fails: fc.boolean(),
      ends: fc.nat(),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const pending = new PendingGuesses()
        const begun: PendingGuess[] = []
        for (const { key, guess, fails, ends } of steps) {
          begun.push(pending.begin(key, guess))
          if (!fails) continue
          const [ending] = begun.splice(ends % begun.length, 1)
          ending?.fail()
          ending?.end()
        }
        for (const guess of begun) guess.end()
        expect(pending.size).toBe(0)
      }),
    )
  })
})
