import { describe, expect, it } from 'vitest'
import { declaredMediaType, detectMediaType, parseManifest } from '../../src/spec/manifest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { config, json, layer, refusal } from './support.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList } = MEDIA_TYPES
const IMAGE = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] }
const CHILD = { mediaType: ociManifest, digest: layer.digest, size: 10 }
const INDEX = { schemaVersion: 2, mediaType: ociIndex, manifests: [CHILD] }
const UNKNOWN_TYPE = 'application/vnd.example.thing.v1+json'

describe('parseManifest of a type that we do not know', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['binary', Buffer.from([0, 255, 128])],
    ['a list', json([1])],
    ['null', json(null)],
    ['JSON of its own', json({ Layers: 1, layers: 2, size: -1, config: 'x' })],
    ['JSON with a key twice', Buffer.from('{"a":1,"a":2}')],
    ['JSON that is too deep', Buffer.from('['.repeat(100))],
    ['its own media type', json({ mediaType: UNKNOWN_TYPE })],
    ['its own media type in another case', json({ mediaType: UNKNOWN_TYPE.toUpperCase() })],
    ['an empty media type', json({ mediaType: '' })],
    ['a null media type', json({ mediaType: null })],
    ['the shape of an image', json({ ...IMAGE, mediaType: undefined })],
    ['a subject that is none', json({ subject: { digest: 'x' }, artifactType: 'a/b', annotations: { a: 'b' } })],
  ])('takes %s as it is', (_, content) => {
    expect(parseManifest(content, UNKNOWN_TYPE)).toEqual({
      kind: 'opaque',
      mediaType: UNKNOWN_TYPE,
      layers: [],
      manifests: [],
    })
  })

  it('keeps a subject, and what the referrers API tells with it', () => {
    const content = json({ mediaType: UNKNOWN_TYPE, subject: CHILD, artifactType: 'a/b', annotations: { a: 'b' } })
    expect(parseManifest(content, UNKNOWN_TYPE)).toEqual({
      kind: 'opaque',
      mediaType: UNKNOWN_TYPE,
      layers: [],
      manifests: [],
      subject: CHILD,
      artifactType: 'a/b',
      annotations: { a: 'b' },
    })
  })

  it('keeps none of two subjects', () => {
    const subject = JSON.stringify(CHILD)
    const content = Buffer.from(`{"subject":${subject},"subject":${subject}}`)
    expect(parseManifest(content, UNKNOWN_TYPE).subject).toBeUndefined()
  })

  it('leaves out what is malformed beside the subject', () => {
    const content = json({ subject: CHILD, artifactType: 'x', annotations: { a: 1 } })
    expect(parseManifest(content, UNKNOWN_TYPE)).toMatchObject({ subject: CHILD })
    expect(parseManifest(content, UNKNOWN_TYPE)).not.toHaveProperty('artifactType')
    expect(parseManifest(content, UNKNOWN_TYPE)).not.toHaveProperty('annotations')
  })

  it.each([
    ['an image', json(IMAGE)],
    ['an index', json(INDEX)],
    ['another unknown type', json({ mediaType: 'application/vnd.example.other' })],
    ['a number for a type', json({ mediaType: 1 })],
    ['an image, after it said something else', Buffer.from(`{"mediaType":"a/b","mediaType":"${ociManifest}"}`)],
    ['an image, and has another key twice', Buffer.from(`{"a":1,"a":1,"mediaType":"${ociManifest}"}`)],
  ])('refuses content that says it is %s', (_, content) => {
    expect(refusal(() => parseManifest(content, UNKNOWN_TYPE)).detail).toEqual({ at: 'mediaType' })
  })

  it.each([
    '',
    'json',
    'application/',
    '*/*',
    'application/x\r\nset-cookie: a',
    'application/x; charset=utf-8',
    'text/html',
    'Text/HTML',
    'image/svg+xml',
    'application/xhtml+xml',
  ])('refuses the type %j', (mediaType) => {
    expect(refusal(() => parseManifest(json({}), mediaType)).code).toBe('MANIFEST_INVALID')
  })
})

describe('detectMediaType', () => {
  it.each([
    ['an image', IMAGE, ociManifest],
    ['Docker’s image', { ...IMAGE, mediaType: dockerManifest }, dockerManifest],
    ['an index', INDEX, ociIndex],
    ['Docker’s list', { ...INDEX, mediaType: dockerList }, dockerList],
    ['what says an unknown type', { mediaType: UNKNOWN_TYPE }, UNKNOWN_TYPE],
    ['an image by its shape', { ...IMAGE, mediaType: undefined }, ociManifest],
    ['an image by its config', { schemaVersion: 2, config }, ociManifest],
    ['an image with a null type', { ...IMAGE, mediaType: null }, ociManifest],
    ['an image with an empty type', { ...IMAGE, mediaType: '' }, ociManifest],
    ['an index by its shape', { ...INDEX, mediaType: undefined }, ociIndex],
    ['an empty index by its shape', { schemaVersion: 2, manifests: [] }, ociIndex],
    ['what is both by its shape', { schemaVersion: 2, manifests: [], config }, ociIndex],
  ])('tells the type of %s', (_, value, mediaType) => {
    expect(detectMediaType(json(value))).toBe(mediaType)
  })

  it.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['binary', '\0\xff'],
    ['a list', '[]'],
    ['null', 'null'],
    ['an empty object', '{}'],
    ['a version alone', '{"schemaVersion":2}'],
    ['an image without a version', '{"config":{},"layers":[]}'],
    ['version 1', '{"schemaVersion":1,"fsLayers":[],"config":{},"layers":[]}'],
    ['null for all', '{"schemaVersion":2,"manifests":null,"config":null,"layers":null}'],
    ['a number for a type', '{"mediaType":1,"schemaVersion":2,"layers":[]}'],
    ['a type that is none', '{"mediaType":"x","schemaVersion":2,"layers":[]}'],
    ['a type that would split a header', '{"mediaType":"a/b\\r\\nx: y"}'],
    ['what is too deep', '['.repeat(1000)],
  ])('does not guess of %s', (_, text) => {
    expect(detectMediaType(Buffer.from(text))).toBeUndefined()
  })

  it('agrees with what is accepted, but for types that the bytes do not tell', () => {
    for (const [value, type] of [
      [IMAGE, ociManifest],
      [{ ...IMAGE, mediaType: undefined }, ociManifest],
      [{ ...IMAGE, layers: null, mediaType: undefined }, ociManifest],
      [INDEX, ociIndex],
      [{ ...INDEX, mediaType: undefined }, ociIndex],
    ] as const) {
      const content = json(value)
      expect(detectMediaType(content)).toBe(parseManifest(content, type).mediaType)
    }
  })
})

describe('declaredMediaType', () => {
  it('tells what the bytes say, and nothing of their shape', () => {
    expect(declaredMediaType(json(IMAGE))).toBe(ociManifest)
    expect(declaredMediaType(json({ mediaType: UNKNOWN_TYPE }))).toBe(UNKNOWN_TYPE)
    expect(declaredMediaType(json({ ...IMAGE, mediaType: undefined }))).toBeUndefined()
  })

  it.each(['', 'x', '[]', '{"mediaType":1}', '{"mediaType":""}', '{"mediaType":"x"}'])(
    'is undefined for %j',
    (text) => {
      expect(declaredMediaType(Buffer.from(text))).toBeUndefined()
    },
  )
})
