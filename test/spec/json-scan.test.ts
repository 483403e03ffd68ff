import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_JSON_LIMITS, type JsonReading, readJson, scanJson } from '../../src/spec/json-scan.ts'

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

describe('readJson', () => {
  it.each([
    ['{}', {}],
    ['[]', []],
    ['null', null],
    ['0', 0],
    ['"a"', 'a'],
    [' \t\r\n{ "a" : [ 1 , 2 ] } ', { a: [1, 2] }],
    ['{"a":"{[:,]}\\"\\\\"}', { a: '{[:,]}"\\' }],
    ['"\\ud83d\\ude00 é €"', '😀 é €'],
    ['{"":{"":{}}}', { '': { '': {} } }],
    ['[{},{}]', [{}, {}]],
  ])('reads %s', (text, value) => {
    expect(read(text)).toEqual({ value })
  })

  it('reads a view, not the buffer under it', () => {
    const bytes = Uint8Array.from(Buffer.from('xx{"a":1}xx')).subarray(2, 9)
    expect(readJson(bytes)).toEqual({ value: { a: 1 } })
  })

  it('keeps a key __proto__ a key', () => {
    const { value } = read('{"__proto__":{"polluted":1}}') as { readonly value: unknown }
    expect(Object.keys(value as object)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it.each([
    ['nothing', ''],
    ['blanks', '  '],
    ['text', 'hello'],
    ['two values', '{}{}'],
    ['trailing text', '{} x'],
    ['a trailing comma', '[1,]'],
    ['a comment', '{}//'],
    ['an open object', '{'],
    ['an open array', '[1'],
    ['an open string', '"a'],
    ['a string that ends in a backslash', '"a\\'],
    ['a closing brace', '}'],
    ['closing brackets', ']]]]'],
    ['the wrong closing bracket', '[}'],
    ['a key without quotes', '{a:1}'],
    ['single quotes', "{'a':1}"],
    ['a missing colon', '{"a"1}'],
    ['two colons', '{"a"::1}'],
    ['a control character in a string', '"\u0001"'],
    ['a raw line feed in a string', '"\n"'],
    ['NUL', '\0'],
    ['NUL behind', '{}\0'],
    ['a bad escape', '"\\x41"'],
    ['a short escape', '"\\u12"'],
    ['a leading zero', '01'],
    ['a plus', '+1'],
    ['hexadecimal', '0x10'],
    ['NaN', 'NaN'],
    ['Infinity', '[Infinity]'],
    ['undefined', '{"a":undefined}'],
  ])('refuses %s', (_, text) => {
    expect(read(text)).toMatchObject({ problem: 'not JSON', cause: expect.any(SyntaxError) })
  })

  it.each([
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x7b, 0x7d], 'begins with a byte order mark'],
    ['a lone continuation byte', [0x22, 0x80, 0x22], 'not UTF-8'],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22], 'not UTF-8'],
    ['an overlong NUL', [0x22, 0xe0, 0x80, 0x80, 0x22], 'not UTF-8'],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22], 'not UTF-8'],
    ['beyond Unicode', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], 'not UTF-8'],
    ['a truncated sequence', [0x22, 0xe2, 0x82], 'not UTF-8'],
    ['Latin-1', [0x22, 0xe9, 0x22], 'not UTF-8'],
    ['UTF-16 with its mark', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], 'not UTF-8'],
    ['UTF-16 without a mark', [0x7b, 0x00, 0x7d, 0x00], 'not JSON'],
  ])('refuses %s', (_, bytes, problem) => {
    expect(readJson(Uint8Array.from(bytes)).problem).toBe(problem)
  })

  it('goes as deep as the limit, and no further', () => {
    const { maxDepth } = DEFAULT_JSON_LIMITS
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(read(nested(maxDepth)).problem).toBeUndefined()
    expect(read(nested(maxDepth + 1)).problem).toBe('more than 16 levels deep')
    expect(read(`${'{"a":'.repeat(17)}1${'}'.repeat(17)}`).problem).toBe('more than 16 levels deep')
    expect(read(`[${nested(15)},${nested(15)}]`).problem).toBeUndefined()
    expect(read('[]', { limits: { ...DEFAULT_JSON_LIMITS, maxDepth: 0 } }).problem).toBe('more than 0 levels deep')
  })

  it('takes as many tokens as the limit, and no more', () => {
    const limits = { ...DEFAULT_JSON_LIMITS, maxTokens: 5 }
    expect(read('[1,2,3,4,5]', { limits }).problem).toBeUndefined()
    expect(read('[1,2,3,4,5,6]', { limits }).problem).toBe('more than 5 tokens')
    expect(read('{"a":1,"b":2}', { limits }).problem).toBeUndefined()
    expect(read('{"a":1,"b":{}}', { limits }).problem).toBeUndefined()
    expect(read('{"a":1,"b":{"c":1}}', { limits }).problem).toBe('more than 5 tokens')
    expect(read('",,,,,,,,,,"', { limits }).problem).toBeUndefined()
  })

  it('takes as many different keys as the limit, in all objects together, and no more', () => {
    const limits = { ...DEFAULT_JSON_LIMITS, maxKeys: 2 }
    expect(read('[{"a":1,"b":1},{"a":1,"b":1}]', { limits }).problem).toBeUndefined()
    expect(read('[{"a":1,"b":1},{"c":1}]', { limits }).problem).toBe('more than 2 different keys')
    expect(read('["a","b","c","d"]', { limits }).problem).toBeUndefined()
  })

  it('tells keys apart that differ in an escape only', () => {
    const escapes = ['\\n', '\\t', '\\r', '\\f', '\\b', '\\/', '\\"', '\\\\']
    const keys = escapes.flatMap((first) => escapes.map((second) => `"${first}${second}":1`))
    const limits = { ...DEFAULT_JSON_LIMITS, maxKeys: 63 }
    expect(read(`{${keys.join(',')}}`, { limits }).problem).toBe('more than 63 different keys')
  })

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '{"":1,"":2}',
    '{"x":{"a":1,"a":2}}',
    '[[{"a":1,"a":2}]]',
    '{"__proto__":1,"__proto__":2}',
    '{"1":1,"1":2}',
    '{"é":1,"\\u00e9":2}',
  ])('refuses %s where keys have to be unique', (text) => {
    expect(read(text, { uniqueKeys: true }).problem).toBe('an object has the same key twice')
    expect(read(text).problem).toBeUndefined()
  })

  it.each([
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":":","b":"\\":"}',
    '{"a":1,"A":2,"á":3}',
    '{"\\u00e9":1,"e\\u0301":2}',
  ])('takes %s where keys have to be unique', (text) => {
    expect(read(text, { uniqueKeys: true }).problem).toBeUndefined()
  })

  it('takes any JSON within the limits, and reads it as the parser does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(4), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(read(text, { uniqueKeys: true })).toEqual({ value: JSON.parse(text) })
      }),
      { numRuns: 2000 },
    )
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 0x7f }), fc.string({ unit: fc.constantFrom(...'{}[]:,"\\a1 ') }), (a, b) => {
        for (const bytes of [a, Buffer.from(b)]) {
          const { problem, value } = readJson(bytes, { uniqueKeys: true }) as { problem?: string; value?: unknown }
          expect(problem !== undefined || value !== undefined).toBe(true)
        }
      }),
      { numRuns: 5000 },
    )
  })
})

describe('scanJson', () => {
  it('counts members', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        let members = 0
        const text = JSON.stringify(value, (_, item: unknown) => {
          if (typeof item === 'object' && item !== null && !Array.isArray(item)) members += Object.keys(item).length
          return item
        })
        expect(scanJson(Buffer.from(text), DEFAULT_JSON_LIMITS)).toBe(members)
      }),
      { numRuns: 1000 },
    )
  })

  // These would take the parser up to two seconds each, and hundreds of megabytes.
  it.each([
    ['open brackets', '[', 'more than 16 levels deep'],
    ['open braces', '{"":', 'more than 16 levels deep'],
    ['empty objects', '{},', 'more than 200000 tokens'],
    ['empty arrays', '[],', 'more than 200000 tokens'],
    ['numbers', '1,', 'more than 200000 tokens'],
    ['colons', ':', 'more than 200000 tokens'],
    ['the same member', '"a":1,', 'more than 200000 tokens'],
    ['one number', '9', 'a number of more than 400 digits'],
  ])('stops early at 4 MiB of %s', (_, unit, problem) => {
    const content = Buffer.alloc(MAX_MANIFEST_BYTES, unit)
    expect(scanJson(content, DEFAULT_JSON_LIMITS)).toBe(problem)
  })

  it('stops early at an object of 100,000 keys', () => {
    const members = Array.from({ length: 99_000 }, (_, i) => `"annotation-${i}":""`)
    expect(scanJson(Buffer.from(`{${members.join(',')}}`), DEFAULT_JSON_LIMITS)).toBe('more than 10000 different keys')
  })
})

function read(text: string, options?: Parameters<typeof readJson>[1]): JsonReading {
  return readJson(Buffer.from(text), options)
}
