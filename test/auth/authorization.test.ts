import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Authorization, authorizationOf } from '../../src/auth/authorization.ts'
import { requestOf } from '../http/support.ts'

const read = (authorization?: string): Authorization =>
  authorizationOf(requestOf('GET', '/v2/', authorization === undefined ? {} : { headers: { authorization } }))
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64')

describe('authorizationOf', () => {
  it('tells a request without the header from one that cannot be read', () => {
    expect(read()).toEqual({ scheme: 'none' })
    expect(read('')).toEqual({ scheme: 'unusable' })
  })

  it.each([
    ['a name and a password', `Basic ${base64('alice:secret')}`, 'alice', 'secret'],
    ['a scheme in other letters', `bAsIc ${base64('alice:secret')}`, 'alice', 'secret'],
    ['colons in the password', `Basic ${base64('alice:a:b:')}`, 'alice', 'a:b:'],
    ['no password', `Basic ${base64('alice:')}`, 'alice', ''],
    ['UTF-8', `Basic ${base64('jürgen:pässwörd')}`, 'jürgen', 'pässwörd'],
    ['no padding', 'Basic YTpi', 'a', 'b'],
    ['more spaces', `Basic   ${base64('alice:secret')} `, 'alice', 'secret'],
  ])('reads %s', (_, header, username, password) => {
    expect(read(header)).toEqual({ scheme: 'basic', username, password })
  })

  it.each([
    ['no colon', `Basic ${base64('alice')}`],
    ['no name', `Basic ${base64(':secret')}`],
    ['nothing', 'Basic'],
    ['an empty value', 'Basic '],
    ['no base64', 'Basic ali:ce'],
    ['Latin-1', `Basic ${base64(Buffer.from('j\xfcrgen:x', 'latin1'))}`],
    ['a NUL', `Basic ${base64('ali\0ce:x')}`],
    ['a line end in the password', `Basic ${base64('alice:x\r\n')}`],
    ['another scheme', 'Negotiate abc'],
    ['a token with a space', 'Bearer a b'],
    ['a token of other letters', 'Bearer é'],
    ['a token alone', 'eyJhbGciOiJub25lIn0'],
    ['two headers joined', `Basic ${base64('a:b')}, Basic ${base64('c:d')}`],
    ['more than any token has', `Bearer ${'a'.repeat(16 * 1024)}`],
  ])('cannot use %s', (_, header) => {
    expect(read(header)).toEqual({ scheme: 'unusable' })
  })

  it('reads a token', () => {
    expect(read('Bearer aA0-._~+/==')).toEqual({ scheme: 'bearer', token: 'aA0-._~+/==' })
  })

  it('gives back whatever name and password were sent', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !/\p{Cc}/u.test(value))
    const name = text.filter((value) => value !== '' && !value.includes(':'))
    fc.assert(
      fc.property(name, text, (username, password) => {
        expect(read(`Basic ${base64(`${username}:${password}`)}`)).toEqual({ scheme: 'basic', username, password })
      }),
    )
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(['none', 'unusable', 'basic', 'bearer']).toContain(read(header).scheme)
      }),
    )
  })
})
