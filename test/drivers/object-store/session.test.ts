import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSession, parseSession, type Session, sizeOf } from '../../../src/drivers/object-store/session.ts'

const KEY = 'a/_uploads/1/data'

const sessionArbitrary: fc.Arbitrary<Session> = fc.record({
  parts: fc.array(
    fc.record({ name: fc.stringMatching(/^[a-z0-9-]{1,64}$/), size: fc.integer({ min: 1, max: 2 ** 42 }) }),
    { maxLength: 20 },
  ),
  tail: fc.uint8Array({ maxLength: 1000 }).map((bytes) => Buffer.from(bytes)),
  sealed: fc.boolean(),
  writer: fc.uuid(),
  shared: fc.boolean(),
})

describe('the session of an upload', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(sessionArbitrary, (session) => {
        const read = parseSession(KEY, formatSession(session))
        expect(read).toEqual(session)
        expect(sizeOf(read)).toBe(session.tail.byteLength + session.parts.reduce((sum, { size }) => sum + size, 0))
      }),
    )
  })

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"version":1,"parts":[],"tail":5,"writer":"w"}',
    '{"version":2,"parts":[],"writer":"w"}',
    '{"version":1,"parts":[]}',
    '{"version":1,"parts":[["../x",5]],"writer":"w"}',
    '{"version":1,"parts":[["x",0]],"writer":"w"}',
    '{"version":1,"parts":[["x",1.5]],"writer":"w"}',
    '{"version":1,"parts":["x"],"writer":"w"}',
  ])('is damaged, and never empty, when it is %j', (text) => {
    expect(() => parseSession(KEY, Buffer.from(text))).toThrow(`damaged upload session: ${KEY}`)
  })
})
