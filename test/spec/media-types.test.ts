import { describe, expect, it } from 'vitest'
import { isActiveMediaType, isMediaType, MEDIA_TYPES } from '../../src/spec/media-types.ts'

describe('isMediaType', () => {
  it.each([
    ...Object.values(MEDIA_TYPES),
    'a/b',
    '0/1',
    'application/vnd.example.config.v1+json',
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'x/!#$&-^_.+'.replace('!', 'a!'),
    `${'a'.repeat(127)}/${'b'.repeat(127)}`,
    'text/html',
  ])('accepts %j', (text) => {
    expect(isMediaType(text)).toBe(true)
  })

  it.each([
    '',
    '/',
    'a',
    'a/',
    '/b',
    'a/b/c',
    'a//b',
    ' a/b',
    'a/b ',
    'a /b',
    'a/ b',
    'a/b\n',
    'a/b\r\nx: y',
    'a/b\0',
    'a/*',
    '*/*',
    '+a/b',
    'a/.b',
    'a/b,c/d',
    'a/b;',
    'a/b;q=1',
    'a/b; charset=utf-8',
    'a/"b"',
    'a/(b)',
    'a/b@c',
    'a/b:c',
    'a/b=c',
    'a/b%20',
    'é/b',
    'a/é',
    'а/b', // Cyrillic
    `${'a'.repeat(128)}/b`,
    `a/${'b'.repeat(128)}`,
    'a'.repeat(100_000),
  ])('refuses %j', (text) => {
    expect(isMediaType(text)).toBe(false)
  })

  it.each(['a/b;', 'a/b;version=0.2', 'a/b; charset=utf-8', 'a/b ;q="x y"', `a/b;${'x'.repeat(254)}`])(
    'accepts %j with parameters',
    (text) => {
      expect(isMediaType(text, { parameters: true })).toBe(true)
    },
  )

  it.each([';', ';a=b', 'a;b/c', 'a/;b', 'a/b;\r\nx: y', 'a/b;é', 'a/b;\0', 'a/b;\t', `a/b;${'x'.repeat(255)}`])(
    'refuses %j with parameters',
    (text) => {
      expect(isMediaType(text, { parameters: true })).toBe(false)
    },
  )
})

describe('isActiveMediaType', () => {
  it.each([
    'text/html',
    'Text/HTML',
    'application/xhtml+xml',
    'image/svg+xml',
    'IMAGE/SVG+XML',
    'text/xml',
    'application/xml',
    'application/rss+xml',
    'text/xsl',
    'text/javascript',
    'application/javascript',
    'application/x-javascript',
    'text/ecmascript',
    'multipart/x-mixed-replace',
  ])('knows that %s may run in a browser', (mediaType) => {
    expect(isActiveMediaType(mediaType)).toBe(true)
  })

  it.each([...Object.values(MEDIA_TYPES), 'application/json', 'text/plain', 'application/vnd.cyclonedx+json'])(
    'lets %s be',
    (mediaType) => {
      expect(isActiveMediaType(mediaType)).toBe(false)
    },
  )
})
