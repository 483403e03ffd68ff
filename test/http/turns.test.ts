import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Turns } from '../../src/http/turns.ts'

describe('Turns', () => {
  it('lets one caller go on per turn of the event loop, in the order of calls', async () => {
    const turns = new Turns()
    const log: string[] = []
    const callers = ['a', 'b', 'c'].map(async (name) => {
      await turns.next()
      log.push(name)
    })
    for (let turn = 1; turn <= 4; turn += 1) {
      await setImmediate()
      log.push(String(turn))
    }
    await Promise.all(callers)
    expect(log.join(' ')).toBe('1 a 2 b 3 c 4')
  })
})
