import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isRepositoryName,
  isTag,
  isUploadId,
  MAX_NAME_LENGTH,
  MAX_TAG_LENGTH,
  parseRepositoryName,
  parseTag,
} from '../../src/spec/name.ts'
import { isKeySafe, refusal } from './support.ts'

/** As the specification has it, anchored; our scanner must never differ. */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

const NAMES = [
  'a',
  '0',
  'ab',
  'a0',
  '0a',
  'library/ubuntu',
  'a/b/c/d/e/f/g/h',
  'a.b',
  'a_b',
  'a__b',
  'a-b',
  'a--b',
  'a-----------b',
  'a.b_c__d-e--f',
  '0.0',
  'a/b.c/d_e/f__g/h-i',
  // What looks like something of ours or of the system, and is a name all the same.
  'a/blobs/uploads',
  'a/manifests/latest',
  'a/tags/list',
  'blobs/sha256',
  'manifests',
  'tags',
  'catalog',
  'v2',
  'v2/v2',
  'con',
  'nul/aux',
  'com1',
  'lpt9.txt',
  'constructor',
  'prototype',
  'docker.io/library/ubuntu',
  'sha256',
  'index.html',
  `a${'-'.repeat(253)}b`,
  'a'.repeat(255),
  `${'a/'.repeat(127)}a`,
] as const

const NOT_NAMES = [
  '',
  ' ',
  '/',
  '//',
  '.',
  '..',
  '...',
  '-',
  '_',
  '__',
  '/a',
  'a/',
  'a//b',
  '//a',
  'a/b/',
  '.a',
  'a.',
  '-a',
  'a-',
  '_a',
  'a_',
  '__a',
  'a__',
  'a..b',
  'a___b',
  'a____b',
  'a._b',
  'a_.b',
  'a.-b',
  'a-.b',
  'a_-b',
  'a-_b',
  'a--_b',
  'a__.b',
  'a/.b',
  'a./b',
  'a/-b',
  'a-/b',
  'a/_b',
  'a_/b',
  'a/../b',
  'a/./b',
  '../a',
  'a/..',
  './a',
  'A',
  'Ubuntu',
  'aB',
  'library/Ubuntu',
  '_catalog',
  '_uploads',
  'a/_uploads',
  'a/_manifests/x',
  '_wharfage',
  'localhost:5000/a',
  'a:b',
  'a@b',
  'a b',
  'a+b',
  'a=b',
  'a~b',
  'a*b',
  'a,b',
  'a;b',
  'a?b',
  'a#b',
  'a\\b',
  '\\a',
  'c:\\a',
  'a%2fb',
  'a%2Fb',
  '%61',
  'a%00',
  'a\0b',
  '\0',
  'a\n',
  '\na',
  'a\r\nb',
  'a\t',
  ' a',
  'a ',
  'é',
  'ü/a',
  'а', // Cyrillic
  'ａ', // full width
  'a\u200bb',
  'a\u202eb',
  'a․b', // one dot leader
  'a／b', // full-width solidus
  'ⓐ',
  '١',
  'a²',
  'ß',
  'ı',
  '😀',
  '\ud800',
  '$(id)',
  '`id`',
  "'",
  '"',
  '<a>',
  '{a}',
  '[a]',
  'a|b',
  'a&b',
  'a^b',
  'a'.repeat(256),
  `${'a/'.repeat(128)}a`,
  `a${'-'.repeat(254)}b`,
  'a'.repeat(100_000),
  '-'.repeat(100_000),
  'a/'.repeat(100_000),
] as const

const TAGS = [
  'a',
  'A',
  '0',
  '_',
  '__',
  'latest',
  'v1.2.3',
  '1.0.0-rc.1',
  'V1_x-y.z',
  '_hidden',
  'a..b',
  'a--b',
  'a.',
  'a-',
  'a_',
  'con',
  'NUL',
  'list',
  'current',
  'index',
  'link',
  'sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.sig',
  '0x10',
  'a'.repeat(128),
  `_${'.'.repeat(127)}`,
] as const

const NOT_TAGS = [
  '',
  '.',
  '..',
  '-',
  '.a',
  '-a',
  '...',
  '../a',
  'a/b',
  '/',
  'a:b',
  'sha256:abc',
  'a@b',
  'a b',
  ' a',
  'a ',
  'a\n',
  '\na',
  'a\0',
  'a+b',
  'a=b',
  'a~b',
  'a*',
  'a,b',
  'a?b',
  'a#b',
  'a%b',
  'a%2eb',
  'a\\b',
  'é',
  'аbc', // Cyrillic
  'ａ',
  'a\u200b',
  '١',
  '😀',
  'ſ',
  'a'.repeat(129),
  'a'.repeat(100_000),
] as const

describe('isRepositoryName', () => {
  it.each(NAMES)('accepts %j', (name) => {
    expect(isRepositoryName(name)).toBe(true)
    expect(parseRepositoryName(name)).toBe(name)
  })

  it.each(NOT_NAMES)('refuses %j', (name) => {
    expect(isRepositoryName(name)).toBe(false)
  })

  it('agrees with the specification’s regular expression, anchored and capped', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aaazz09._-/A%:'), maxLength: 20 }), (text) => {
        expect(isRepositoryName(text)).toBe(NAME.test(text))
      }),
      { numRuns: 20_000 },
    )
  })

  it('agrees with it on names that are correct but for one character', () => {
    fc.assert(
      fc.property(fc.stringMatching(NAME, { size: 'small' }), fc.nat(), fc.string({ maxLength: 1 }), (name, at, c) => {
        const i = at % (name.length + 1)
        const changed = name.slice(0, i) + c + name.slice(i + 1)
        expect(isRepositoryName(changed)).toBe(NAME.test(changed) && changed.length <= MAX_NAME_LENGTH)
      }),
      { numRuns: 5000 },
    )
  })

  it('accepts only what is safe in a storage key', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab0._-/'), maxLength: 12 }), (text) => {
        fc.pre(isRepositoryName(text))
        expect(isKeySafe(text)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('parseRepositoryName', () => {
  it('rejects with NAME_INVALID, and tells no more than a name’s length of it', () => {
    const error = refusal(() => parseRepositoryName('A'.repeat(1000)))
    expect(error.code).toBe('NAME_INVALID')
    expect(error.status).toBe(400)
    expect(error.detail).toEqual({ name: 'A'.repeat(MAX_NAME_LENGTH) })
  })
})

describe('isTag', () => {
  it.each(TAGS)('accepts %j', (tag) => {
    expect(isTag(tag)).toBe(true)
    expect(parseTag(tag)).toBe(tag)
  })

  it.each(NOT_TAGS)('refuses %j', (tag) => {
    expect(isTag(tag)).toBe(false)
  })

  it('agrees with the specification’s regular expression, anchored', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'azAZ09._-/+ '), maxLength: 8 }), (text) => {
        expect(isTag(text)).toBe(TAG.test(text))
      }),
      { numRuns: 10_000 },
    )
  })

  it('accepts only what is safe in a storage key', () => {
    fc.assert(
      fc.property(fc.stringMatching(TAG, { size: 'small' }), (tag) => {
        expect(isTag(tag) && isKeySafe(tag)).toBe(true)
      }),
    )
  })
})

describe('parseTag', () => {
  it('rejects with MANIFEST_INVALID, and tells no more than a tag’s length of it', () => {
    const error = refusal(() => parseTag('a'.repeat(1000)))
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.status).toBe(400)
    expect(error.detail).toEqual({ tag: 'a'.repeat(MAX_TAG_LENGTH) })
  })
})

describe('isUploadId', () => {
  it.each(['8d4f1b7e-3c52-4a6d-9f0e-1b2c3d4e5f60', 'a', '0', '-', '_.', 'dGVzdA==', 'a'.repeat(128)])(
    'accepts %j',
    (id) => {
      expect(isUploadId(id)).toBe(true)
    },
  )

  it.each(['', '.', '..', '.a', 'a/b', 'a b', 'a%2f', 'a\0', 'a\n', 'é', 'a'.repeat(129)])('refuses %j', (id) => {
    expect(isUploadId(id)).toBe(false)
  })

  it('accepts only what is safe in a storage key', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aZ0._-=/+ '), maxLength: 4 }), (text) => {
        expect(isUploadId(text)).toBe(/^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,127}$/.test(text))
        if (isUploadId(text)) expect(isKeySafe(text)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
