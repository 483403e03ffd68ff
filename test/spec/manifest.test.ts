import { describe, expect, it } from 'vitest'
import { DEFAULT_MANIFEST_LIMITS, parseManifest } from '../../src/spec/manifest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { config, json, layer, refusal, SHA512_DIGEST } from './support.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList, ociConfig, ociEmpty } = MEDIA_TYPES
const IMAGE = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] }
const CHILD = { mediaType: ociManifest, digest: layer.digest, size: 10 }
const INDEX = { schemaVersion: 2, mediaType: ociIndex, manifests: [CHILD] }
const UNKNOWN_TYPE = 'application/vnd.example.thing.v1+json'

type Fields = Readonly<Record<string, unknown>>
type Accepted = readonly [what: string, change: Fields]
type Refused = readonly [what: string, change: Fields, message: string]

describe('parseManifest of an image', () => {
  it('tells what a registry needs of it', () => {
    const subject = { ...CHILD, digest: SHA512_DIGEST }
    const annotations = { 'org.example': 'x' }
    expect(parseManifest(json({ ...IMAGE, subject, annotations, artifactType: 'a/b' }), ociManifest)).toEqual({
      kind: 'image',
      mediaType: ociManifest,
      artifactType: 'a/b',
      annotations,
      config,
      layers: [layer],
      manifests: [],
      subject,
    })
  })

  it('takes Docker’s type for the same', () => {
    const docker = parseManifest(json({ ...IMAGE, mediaType: dockerManifest }), dockerManifest)
    expect(docker).toMatchObject({ kind: 'image', mediaType: dockerManifest, config, layers: [layer] })
  })

  it('knows the types in any case, and names them in lower case', () => {
    expect(parseManifest(json(IMAGE), ociManifest.toUpperCase()).mediaType).toBe(ociManifest)
  })

  it.each([
    ['its own', 'application/vnd.example.sbom', 'application/vnd.example.sbom'],
    ['with parameters', 'application/vnd.dev.sigstore.bundle+json;version=0.2', undefined],
    ['the config’s where it is absent', undefined, ociConfig],
    ['the config’s where it is empty', '', ociConfig],
    ['the config’s where it is null', null, ociConfig],
  ])('has an artifact type: %s', (_, artifactType, expected) => {
    expect(parseManifest(json({ ...IMAGE, artifactType }), ociManifest).artifactType).toBe(expected ?? artifactType)
  })

  const accepted: readonly Accepted[] = [
    ['no media type', { mediaType: undefined }],
    ['a null media type', { mediaType: null }],
    ['an empty media type', { mediaType: '' }],
    ['no layers', { layers: [] }],
    ['null for layers', { layers: null }],
    ['layers left out', { layers: undefined }],
    ['the same layer twice', { layers: [layer, layer] }],
    ['a sha512 layer', { layers: [{ ...layer, digest: SHA512_DIGEST }] }],
    ['an empty layer', { layers: [{ ...layer, size: 0 }] }],
    ['a layer of the largest size', { layers: [{ ...layer, size: Number.MAX_SAFE_INTEGER }] }],
    ['urls', { layers: [{ ...layer, urls: ['https://example.com/a', 'not a url'] }] }],
    ['null urls', { layers: [{ ...layer, urls: null }] }],
    ['data', { layers: [{ ...layer, data: 'e30=' }] }],
    ['null data', { layers: [{ ...layer, data: null }] }],
    ['layer annotations', { layers: [{ ...layer, annotations: { title: 'x', '': '' } }] }],
    ['unknown fields in a layer', { layers: [{ ...layer, 'org.example': 1, x: { MediaType: 1 } }] }],
    ['a layer type with parameters', { layers: [{ ...layer, mediaType: 'a/b;version=0.2' }] }],
    ['an empty config', { config: { ...config, mediaType: ociEmpty, data: 'e30=' } }],
    ['null for annotations', { annotations: null }],
    ['no annotations', { annotations: {} }],
    ['annotations in any case', { annotations: { Layers: 'x', layers: 'y', MediaType: 'z', __proto: '' } }],
    ['null for a subject', { subject: null }],
    ['null for manifests', { manifests: null }],
    ['a subject of no size', { subject: { ...CHILD, size: 0 } }],
    ['unknown fields', { 'org.example.custom': { Config: 1, config: 2 }, x: [[[{ LAYERS: [] }]]] }],
    ['a blobs field', { blobs: [] }],
  ]
  it.each(accepted)('takes %s', (_, change) => {
    expect(parseManifest(json({ ...IMAGE, ...change }), ociManifest).kind).toBe('image')
  })

  const refused: readonly Refused[] = [
    ['no schema version', { schemaVersion: undefined }, 'schemaVersion: expected 2'],
    ['schema version 1', { schemaVersion: 1 }, 'schemaVersion: expected 2'],
    ['schema version 3', { schemaVersion: 3 }, 'schemaVersion: expected 2'],
    ['schema version "2"', { schemaVersion: '2' }, 'schemaVersion: expected 2'],
    ['schema version [2]', { schemaVersion: [2] }, 'schemaVersion: expected 2'],
    ['another media type', { mediaType: ociIndex }, `mediaType: expected ${ociManifest}, as the content type says`],
    ['Docker’s media type', { mediaType: dockerManifest }, `mediaType: expected ${ociManifest}`],
    ['a media type in another case', { mediaType: ociManifest.toUpperCase() }, `mediaType: expected ${ociManifest}`],
    ['a media type with a parameter', { mediaType: `${ociManifest}; a=b` }, 'mediaType: expected'],
    ['a media type with a line feed', { mediaType: `${ociManifest}\n` }, 'mediaType: expected'],
    ['a media type that is a number', { mediaType: 2 }, 'mediaType: expected'],
    ['a media type that is a list', { mediaType: [ociManifest] }, 'mediaType: expected'],
    ['manifests', { manifests: [] }, 'an image manifest has no manifests'],
    ['manifests of any kind', { manifests: {} }, 'an image manifest has no manifests'],
    ['manifests that are false', { manifests: false }, 'an image manifest has no manifests'],
    ['no config', { config: undefined }, 'config: not a descriptor: expected an object'],
    ['null for a config', { config: null }, 'config: not a descriptor'],
    ['an empty object for a config', { config: {} }, 'config.mediaType: expected a media type'],
    ['a list for a config', { config: [config] }, 'config: not a descriptor'],
    ['a string for a config', { config: config.digest }, 'config: not a descriptor'],
    ['an object for layers', { layers: {} }, 'layers: expected an array'],
    ['a string for layers', { layers: 'x' }, 'layers: expected an array'],
    ['false for layers', { layers: false }, 'layers: expected an array'],
    ['null for a layer', { layers: [layer, null] }, 'layers[1]: not a descriptor'],
    ['a digest for a layer', { layers: [layer.digest] }, 'layers[0]: not a descriptor'],
    ['a list for a layer', { layers: [[layer]] }, 'layers[0]: not a descriptor'],
    ['annotations in a list', { annotations: ['a'] }, 'annotations: expected an object of strings'],
    ['a string for annotations', { annotations: 'a' }, 'annotations: expected an object of strings'],
    ['a number in annotations', { annotations: { a: 1 } }, 'annotations: expected an object of strings'],
    ['null in annotations', { annotations: { a: null } }, 'annotations: expected an object of strings'],
    ['an object in annotations', { annotations: { a: {} } }, 'annotations: expected an object of strings'],
    ['an artifact type that is none', { artifactType: 'sbom' }, 'artifactType: expected a media type'],
    ['an artifact type with a line feed', { artifactType: 'a/b\r\nx: y' }, 'artifactType: expected a media type'],
    ['a number for an artifact type', { artifactType: 1 }, 'artifactType: expected a media type'],
    ['false for a subject', { subject: false }, 'subject: not a descriptor'],
    ['a digest for a subject', { subject: layer.digest }, 'subject: not a descriptor'],
    ['an empty subject', { subject: {} }, 'subject.mediaType: expected a media type'],
    ['a subject by tag', { subject: { ...CHILD, digest: 'latest' } }, 'subject.digest: expected sha256:'],
    ['Layers', { Layers: [] }, 'the key "Layers" is a known one in another case'],
    ['Config', { Config: config }, 'the key "Config" is a known one in another case'],
    ['MANIFESTS', { MANIFESTS: [] }, 'the key "MANIFESTS" is a known one in another case'],
    ['mediatype', { mediatype: ociManifest }, 'the key "mediatype" is a known one in another case'],
    ['SchemaVersion', { SchemaVersion: 1 }, 'the key "SchemaVersion" is a known one in another case'],
    ['Subject', { Subject: null }, 'the key "Subject" is a known one in another case'],
    ['ſubject', { ſubject: null }, 'the key "ſubject" is a known one in another case'],
    ['Annotations', { Annotations: {} }, 'the key "Annotations" is a known one in another case'],
    ['ArtifactType', { ArtifactType: 'a/b' }, 'the key "ArtifactType" is a known one in another case'],
    ['Digest in a layer', { layers: [{ ...layer, Digest: 1 }] }, 'layers[0]: the key "Digest" is a known one'],
    ['SIZE in a config', { config: { ...config, SIZE: 1 } }, 'config: the key "SIZE" is a known one'],
    ['URLs in a layer', { layers: [{ ...layer, URLs: [] }] }, 'layers[0]: the key "URLs" is a known one'],
    ['Data in a layer', { layers: [{ ...layer, Data: '' }] }, 'layers[0]: the key "Data" is a known one'],
    ['MediaType in a subject', { subject: { ...CHILD, MediaType: '' } }, 'subject: the key "MediaType" is a known one'],
  ]
  it.each(refused)('refuses %s', (_, change, message) => {
    const error = refusal(() => parseManifest(json({ ...IMAGE, ...change }), ociManifest))
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.status).toBe(400)
    expect(error.message).toContain(message)
  })

  const badDescriptors: readonly Refused[] = [
    ['no media type', { mediaType: undefined }, 'mediaType'],
    ['an empty media type', { mediaType: '' }, 'mediaType'],
    ['a null media type', { mediaType: null }, 'mediaType'],
    ['a media type without a slash', { mediaType: 'text' }, 'mediaType'],
    ['a media type with a line feed', { mediaType: 'a/b\n' }, 'mediaType'],
    ['a number for a media type', { mediaType: 1 }, 'mediaType'],
    ['no digest', { digest: undefined }, 'digest'],
    ['a null digest', { digest: null }, 'digest'],
    ['an empty digest', { digest: '' }, 'digest'],
    ['a bad digest', { digest: 'sha256:baddigeststring' }, 'digest'],
    ['a digest in upper case', { digest: `sha256:${'A'.repeat(64)}` }, 'digest'],
    ['a digest that climbs', { digest: `sha256:../../${'a'.repeat(58)}` }, 'digest'],
    ['a registered algorithm we cannot verify', { digest: `blake3:${'a'.repeat(64)}` }, 'digest'],
    ['sha384', { digest: `sha384:${'a'.repeat(96)}` }, 'digest'],
    ['multihash', { digest: 'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8' }, 'digest'],
    ['a list for a digest', { digest: [layer.digest] }, 'digest'],
    ['no size', { size: undefined }, 'size'],
    ['a null size', { size: null }, 'size'],
    ['a negative size', { size: -1 }, 'size'],
    ['half a byte', { size: 0.5 }, 'size'],
    ['a size in a string', { size: '10' }, 'size'],
    ['a size beyond what a number holds', { size: 2 ** 53 }, 'size'],
    ['a size beyond 64 bits', { size: 1e300 }, 'size'],
    ['true for a size', { size: true }, 'size'],
    ['a string for urls', { urls: 'https://example.com' }, 'urls'],
    ['an object for urls', { urls: {} }, 'urls'],
    ['a number in urls', { urls: ['https://example.com', 1] }, 'urls'],
    ['null in urls', { urls: [null] }, 'urls'],
    ['a number for data', { data: 1 }, 'data'],
    ['an object for data', { data: {} }, 'data'],
    ['annotations in a list', { annotations: [] }, 'annotations'],
    ['a number in annotations', { annotations: { a: 1 } }, 'annotations'],
    ['an artifact type that is none', { artifactType: 'x' }, 'artifactType'],
    ['a string for a platform', { platform: 'linux/amd64' }, 'platform'],
    ['a list for a platform', { platform: [] }, 'platform'],
  ]
  it.each(badDescriptors)('refuses a descriptor with %s, wherever it stands', (_, change, field) => {
    const places = {
      config: { config: { ...config, ...change } },
      'layers[1]': { layers: [layer, { ...layer, ...change }] },
      subject: { subject: { ...CHILD, ...change } },
    }
    for (const [place, fields] of Object.entries(places)) {
      const error = refusal(() => parseManifest(json({ ...IMAGE, ...fields }), ociManifest))
      expect(error.code).toBe('MANIFEST_INVALID')
      expect(error.detail).toEqual({ at: `${place}.${field}` })
    }
    const error = refusal(() => parseManifest(json({ ...INDEX, manifests: [{ ...CHILD, ...change }] }), ociIndex))
    expect(error.detail).toEqual({ at: `manifests[0].${field}` })
  })
})

describe('parseManifest of an index', () => {
  it('tells what a registry needs of it', () => {
    const platform = { architecture: 'arm64', os: 'linux', variant: 'v8' }
    const annotations = { a: 'b' }
    const manifests = [CHILD, { ...CHILD, platform }, { ...CHILD, artifactType: 'a/b', annotations, urls: ['x'] }]
    expect(parseManifest(json({ ...INDEX, manifests, annotations, subject: CHILD }), ociIndex)).toEqual({
      kind: 'index',
      mediaType: ociIndex,
      annotations,
      layers: [],
      manifests,
      subject: CHILD,
    })
  })

  it('has an artifact type only if it says so', () => {
    expect(parseManifest(json(INDEX), ociIndex).artifactType).toBeUndefined()
    expect(parseManifest(json({ ...INDEX, artifactType: 'a/b' }), ociIndex).artifactType).toBe('a/b')
  })

  it('takes Docker’s list for the same', () => {
    const list = parseManifest(json({ ...INDEX, mediaType: dockerList }), dockerList)
    expect(list).toMatchObject({ kind: 'index', mediaType: dockerList, manifests: [CHILD] })
  })

  const accepted: readonly Accepted[] = [
    ['no media type', { mediaType: undefined }],
    ['no children', { manifests: [] }],
    ['null for children', { manifests: null }],
    ['layers as children, as in BuildKit’s cache', { manifests: [layer, { ...config, size: 1 }] }],
    ['an index as a child', { manifests: [{ ...CHILD, mediaType: ociIndex }] }],
    ['a child of a type nobody knows', { manifests: [{ ...CHILD, mediaType: UNKNOWN_TYPE }] }],
    ['null for config and layers', { config: null, layers: null }],
    ['null for a platform', { manifests: [{ ...CHILD, platform: null }] }],
    ['an empty platform', { manifests: [{ ...CHILD, platform: {} }] }],
    ['an unknown platform', { manifests: [{ ...CHILD, platform: { architecture: 'unknown', os: 'unknown' } }] }],
    [
      'all of a platform',
      {
        manifests: [
          {
            ...CHILD,
            platform: { architecture: 'amd64', os: 'windows', 'os.version': '10', 'os.features': ['x'], features: [] },
          },
        ],
      },
    ],
  ]
  it.each(accepted)('takes %s', (_, change) => {
    expect(parseManifest(json({ ...INDEX, ...change }), ociIndex).kind).toBe('index')
  })

  it('reads a platform without architecture or os as Go does', () => {
    const { manifests } = parseManifest(json({ ...INDEX, manifests: [{ ...CHILD, platform: {} }] }), ociIndex)
    expect(manifests[0]?.platform).toEqual({ architecture: '', os: '' })
  })

  const refused: readonly Refused[] = [
    ['a config', { config }, 'an index has neither config nor layers'],
    ['layers', { layers: [] }, 'an index has neither config nor layers'],
    ['config and layers', { config, layers: [layer] }, 'an index has neither config nor layers'],
    ['an empty config', { config: {} }, 'an index has neither config nor layers'],
    ['false for layers', { layers: false }, 'an index has neither config nor layers'],
    ['no manifests', { manifests: undefined }, 'manifests: expected an array'],
    ['an object for manifests', { manifests: {} }, 'manifests: expected an array'],
    ['an image’s media type', { mediaType: ociManifest }, `mediaType: expected ${ociIndex}`],
    ['schema version 1', { schemaVersion: 1 }, 'schemaVersion: expected 2'],
    ['Manifests', { Manifests: [] }, 'the key "Manifests"'],
    ['Layers', { Layers: [layer] }, 'the key "Layers"'],
    ['manifestſ', { manifestſ: [] }, 'the key "manifestſ"'],
    ['OS in a platform', { manifests: [{ ...CHILD, platform: { OS: 'x' } }] }, 'manifests[0].platform: the key "OS"'],
    ['Platform', { manifests: [{ ...CHILD, Platform: {} }] }, 'manifests[0]: the key "Platform"'],
    ['a number for an os', { manifests: [{ ...CHILD, platform: { os: 1 } }] }, 'manifests[0].platform: expected'],
    ['a number for a variant', { manifests: [{ ...CHILD, platform: { variant: 8 } }] }, 'platform.variant: expected'],
  ]
  it.each(refused)('refuses %s', (_, change, message) => {
    const error = refusal(() => parseManifest(json({ ...INDEX, ...change }), ociIndex))
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toContain(message)
  })

  it('takes 10,000 children, and no more', () => {
    const manifests = Array(DEFAULT_MANIFEST_LIMITS.maxDescriptors).fill(CHILD)
    expect(parseManifest(json({ ...INDEX, manifests }), ociIndex).manifests).toHaveLength(10_000)
    const error = refusal(() => parseManifest(json({ ...INDEX, manifests: [...manifests, CHILD] }), ociIndex))
    expect(error.message).toBe('manifests: more than 10000 descriptors')
  })
})

describe('parseManifest of Docker’s types', () => {
  it.each([
    [dockerManifest, { ...IMAGE, mediaType: undefined }],
    [dockerManifest, { ...IMAGE, mediaType: '' }],
    [dockerManifest, { ...IMAGE, mediaType: ociManifest }],
    [dockerList, { ...INDEX, mediaType: undefined }],
    [dockerList, { ...INDEX, mediaType: null }],
    [dockerList, { ...INDEX, mediaType: ociIndex }],
  ])('refuses %s without that very media type inside, as Distribution does', (mediaType, value) => {
    expect(refusal(() => parseManifest(json(value), mediaType)).detail).toEqual({ at: 'mediaType' })
  })
})

describe('parseManifest of any known type', () => {
  const types = [ociManifest, ociIndex, dockerManifest, dockerList]
  it.each([
    ['nothing', '', 'not JSON'],
    ['text', 'hello', 'not JSON'],
    ['trailing data', `${JSON.stringify(IMAGE)}{}`, 'not JSON'],
    ['a list', '[]', 'expected a JSON object'],
    ['null', 'null', 'expected a JSON object'],
    ['a string', '"x"', 'expected a JSON object'],
    ['a number', '2', 'expected a JSON object'],
    ['a byte order mark', `\ufeff${JSON.stringify(IMAGE)}`, 'begins with a byte order mark'],
    ['the same key twice', '{"schemaVersion":2,"schemaVersion":2}', 'an object has the same key twice'],
    ['the same key twice, once escaped', '{"layers":[],"l\\u0061yers":[]}', 'an object has the same key twice'],
    ['the same annotation twice', '{"annotations":{"a":"1","a":"2"}}', 'an object has the same key twice'],
    ['the same key twice far inside', '{"x":[[{"y":{"z":1,"z":1}}]]}', 'an object has the same key twice'],
    ['17 levels', '['.repeat(17) + ']'.repeat(17), 'more than 16 levels deep'],
  ])('refuses %s', (_, text, message) => {
    for (const type of types) {
      const error = refusal(() => parseManifest(Buffer.from(text), type))
      expect(error.code).toBe('MANIFEST_INVALID')
      expect(error.message).toBe(message)
    }
  })

  it('refuses UTF-16', () => {
    const content = Buffer.from(`\ufeff${JSON.stringify(IMAGE)}`, 'utf16le')
    expect(refusal(() => parseManifest(content, ociManifest)).message).toBe('not UTF-8')
  })

  it('keeps the parser’s own words for the log', () => {
    expect(refusal(() => parseManifest(Buffer.from('{'), ociManifest)).cause).toBeInstanceOf(SyntaxError)
  })

  it('obeys the limits it is given', () => {
    const limits = { ...DEFAULT_MANIFEST_LIMITS, maxDescriptors: 1 }
    expect(parseManifest(json(IMAGE), ociManifest, limits).layers).toHaveLength(1)
    const two = json({ ...IMAGE, layers: [layer, layer] })
    expect(refusal(() => parseManifest(two, ociManifest, limits)).message).toBe('layers: more than 1 descriptors')
  })

  it('is not led astray by keys of every object', () => {
    const text = JSON.stringify(IMAGE).replace('{', '{"__proto__":{"layers":[]},"constructor":{},"toString":1,')
    expect(parseManifest(Buffer.from(text), ociManifest)).toMatchObject({ kind: 'image', layers: [layer] })
    const inherited = Buffer.from('{"schemaVersion":2,"__proto__":{"config":{},"layers":[]}}')
    expect(refusal(() => parseManifest(inherited, ociManifest)).detail).toEqual({ at: 'config' })
  })
})
