import { describe, expect, it } from 'vitest'
import { nearest } from '../src/nearest.ts'

describe('nearest', () => {
  it.each([
    ['serv', 'serve'],
    ['sreve', 'serve'],
    ['SERVE', undefined],
    ['garbage', undefined],
    ['', undefined],
    ['copi', 'copy'],
  ])('takes %j for %j', (text, expected) => {
    expect(nearest(text, ['serve', 'scrub', 'copy'])).toBe(expected)
  })
})
