import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/testing/index.ts'

describe('manualClock', () => {
  it('stands still until it is turned, and wakes who has slept long enough', async () => {
    const clock = manualClock(1000)
    const woken: string[] = []
    const short = clock.sleep(10).then(() => woken.push('short'))
    const long = clock.sleep(20).then(() => woken.push('long'))
    await clock.sleep(0)
    expect([clock.now(), clock.sleeping, woken]).toEqual([1000, 2, []])
    clock.advance(19)
    await short
    expect([clock.now(), clock.sleeping, woken]).toEqual([1019, 1, ['short']])
    clock.advance(1)
    await long
    expect(woken).toEqual(['short', 'long'])
  })

  it('lets go of who gives up', async () => {
    const clock = manualClock()
    const controller = new AbortController()
    const asleep = clock.sleep(10, controller.signal)
    controller.abort(new Error('enough'))
    await expect(asleep).rejects.toThrow('enough')
    await expect(clock.sleep(10, controller.signal)).rejects.toThrow('enough')
    expect(clock.sleeping).toBe(0)
  })
})
