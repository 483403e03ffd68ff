import { describe, expect, it } from 'vitest'
import { pushImage } from '../../support/images.ts'
import { client } from '../support.ts'
import { DIGEST, outcome } from './outcome.ts'

describe('page sizes', () => {
  const lists = ['/v2/a/tags/list', '/v2/_catalog', `/v2/a/referrers/${DIGEST}`]

  it.each([
    ...[
      '',
      ' ',
      '-',
      '+',
      '-0',
      '-1',
      '+1',
      '01',
      '00',
      '0.0',
      '1.5',
      '.5',
      '1.',
      '1e3',
      '1E3',
      '1,000',
      '1_000',
      '1 0',
      ' 1',
      '1 ',
    ],
    ...[
      '0x10',
      '0b1',
      '0o7',
      'NaN',
      'Infinity',
      '-Infinity',
      'null',
      'undefined',
      'true',
      '[]',
      '{}',
      '[1]',
      '1;2',
      "1'",
      '1"',
    ],
    ...['١', '１', '²', '½', '1\u0000', '1\n', '1%', '\ufeff1', '1n', '0,1', '#1', '__proto__', '-9223372036854775808'],
  ])('are decimal integers: n=%j', async (n) => {
    for (const list of lists) {
      expect(await outcome('GET', `${list}?n=${encodeURIComponent(n)}`)).toEqual([400, 'UNSUPPORTED'])
    }
  })

  it.each([
    '1000',
    '1001',
    '2147483648',
    '4294967296',
    '9007199254740991',
    '9007199254740993',
    '18446744073709551616',
    '9'.repeat(500),
  ])('are clamped, however large: n=%s', async (n) => {
    const { get, registry } = client()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    for (const list of lists) {
      const { status, headers } = await get(`${list}?n=${n}`)
      expect([status, headers.link]).toEqual([200, undefined])
    }
  })

  it.each(['n', 'last'])('and where a page starts are given once: %s', async (name) => {
    for (const list of lists) {
      for (const [one, two] of [
        ['1', '1'],
        ['1', '2'],
        ['', ''],
        ['a', ''],
      ]) {
        expect(await outcome('GET', `${list}?${name}=${one}&${name}=${two}`)).toEqual([400, 'UNSUPPORTED'])
      }
    }
  })

  it.each([
    'N=x',
    'n[]=x',
    'n[0]=x',
    'N%00=x',
    'x=%',
    'x=%zz&%',
    '&&&',
    '=',
    '=x',
    'n%5B%5D=1&n%5B%5D=2',
    '__proto__=1&__proto__=2',
    'constructor[prototype][n]=1',
    'ns=docker.io',
    'x=1&x=2',
    '%ff=%fe',
    '?n',
  ])('and nothing else is read from a query: %s', async (query) => {
    const { get, registry } = client()
    await pushImage(registry.repository('a'), ['x'], { tags: ['v1'] })
    for (const list of lists) expect((await get(`${list}?${query}`)).status).toBe(200)
  })
})
