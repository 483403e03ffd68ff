import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FailureWindows } from '../../../src/auth/basic/failure-windows.ts'

function windows(maxWindows = 3) {
  let now = 0
  const failures = new FailureWindows({ windowMs: 1000, maxWindows, now: () => now })
  return {
    failures,
    pass: (ms: number) => {
      now += ms
    },
  }
}

describe('FailureWindows', () => {
  it('counts from the first failure to the end of its window', () => {
    const { failures, pass } = windows()
    failures.add('a')
    pass(400)
    failures.add('a')
    expect(failures.of('a')).toEqual({ failures: 2, endsInMs: 600 })
    pass(600)
    expect(failures.of('a')).toEqual({ failures: 0, endsInMs: 0 })
  })

  it('keeps no window that has ended, whichever key is looked at', () => {
    const { failures, pass } = windows(1000)
    for (let i = 0; i < 500; i += 1) failures.add(String(i))
    pass(999)
    failures.add('late')
    expect(failures.size).toBe(501)
    pass(1)
    failures.of('another')
    expect(failures.size).toBe(1)
  })

  it('forgets the windows that end first beyond as many as it may keep', () => {
    const { failures, pass } = windows()
    for (const key of ['a', 'b', 'c', 'a', 'd']) {
      pass(1)
      failures.add(key)
    }
    expect(['a', 'b', 'c', 'd'].map((key) => failures.of(key).failures)).toEqual([0, 1, 1, 1])
    expect(failures.size).toBe(3)
  })

  it('is never larger than it may be, and keeps only what has not ended', () => {
    const step = fc.record({ key: fc.constantFrom(...'abcdef'), ms: fc.nat(600), isRight: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { failures, pass } = windows()
        for (const { key, ms, isRight } of steps) {
          pass(ms)
          if (isRight) failures.delete(key)
          else failures.add(key)
          expect(failures.size).toBeLessThanOrEqual(3)
          expect(failures.of(key).failures > 0).toBe(!isRight)
        }
        pass(1000)
        failures.of('a')
        expect(failures.size).toBe(0)
      }),
    )
  })
})
