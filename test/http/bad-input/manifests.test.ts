import { gzipSync } from 'node:zlib'
import { beforeAll, expect } from 'vitest'
import { type Digest, digestOf } from '../../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../../src/spec/media-types.ts'
import { corpus } from './corpus.ts'
import { DIGEST, type World, world } from './outcome.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList, ociConfig, ociEmpty } = MEDIA_TYPES
const TYPES = [ociManifest, ociIndex, dockerManifest, dockerList]
const UNKNOWN = 'application/vnd.example.thing.v1+json'

const rows = corpus('manifests')

type Fields = Readonly<Record<string, unknown>>
type Content = string | Buffer

// What every manifest here may refer to; the registry of `stocked` has it all.
const CONFIG = '{}'
const LAYER = 'layer'
const config = { mediaType: ociConfig, digest: digestOf(Buffer.from(CONFIG)), size: 2 }
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(Buffer.from(LAYER)), size: 5 }
const IMAGE = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] }
const CHILD_CONTENT = JSON.stringify(IMAGE)
const child = { mediaType: ociManifest, digest: digestOf(Buffer.from(CHILD_CONTENT)), size: CHILD_CONTENT.length }
const INDEX = { schemaVersion: 2, mediaType: ociIndex, manifests: [child] }

const image = (change: Fields): string => JSON.stringify({ ...IMAGE, ...change })
const index = (change: Fields): string => JSON.stringify({ ...INDEX, ...change })

async function stocked(): Promise<World> {
  const made = world()
  const { blobs, manifests } = made.registry.repository('a')
  await blobs.put(Buffer.from(CONFIG))
  await blobs.put(Buffer.from(LAYER))
  await manifests.put(Buffer.from(CHILD_CONTENT), { mediaType: ociManifest })
  return made
}

/** One for all rows that are refused: none of them may change it. */
let shared: World
beforeAll(async () => {
  shared = await stocked()
})

async function refusal(content: Content, type: string | undefined) {
  const { status, error } = await shared.ask('PUT', '/v2/a/manifests/x', {
    body: content,
    headers: type === undefined ? {} : { 'content-type': type },
  })
  return {
    outcome: [status, error.code],
    message: error.message,
    detail: error.detail,
  }
}

const INVALID = [400, 'MANIFEST_INVALID']
const nested = (depth: number, open = '[', end = ']') => open.repeat(depth) + end.repeat(depth)
const keys = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join()}}`

const notJson: readonly (readonly [string, Content])[] = [
  ['nothing', ''],
  ['a space', ' '],
  ['a NUL', '\0'],
  ['text', 'hello'],
  ['an open brace', '{'],
  ['a closed brace', '}'],
  ['an open bracket', '['],
  ['a colon', ':'],
  ['a quote', '"'],
  ['an object cut off in the middle', CHILD_CONTENT.slice(0, 100)],
  ['an object cut off before its end', CHILD_CONTENT.slice(0, -1)],
  ['a brace too many', `${CHILD_CONTENT}}`],
  ['a second document', `${CHILD_CONTENT}{}`],
  ['a second document on its own line', `${CHILD_CONTENT}\n${CHILD_CONTENT}`],
  ['a comma at the end', `${CHILD_CONTENT},`],
  ['a NUL at the end', `${CHILD_CONTENT}\0`],
  ['a NUL in front', `\0${CHILD_CONTENT}`],
  ['a byte order mark at the end', `${CHILD_CONTENT}\ufeff`],
  ['a space that JSON has not', `${CHILD_CONTENT}\u00a0`],
  ['a form feed between tokens', CHILD_CONTENT.replace('{', '{\f')],
  ['a comma behind the last member', CHILD_CONTENT.replace(/\}$/, ',}')],
  ['a comma behind the last element', image({}).replace(']', ',]')],
  ['two commas', CHILD_CONTENT.replace(',', ',,')],
  ['a comma in front', CHILD_CONTENT.replace('{', '{,')],
  ['no comma', CHILD_CONTENT.replace(',', ' ')],
  ['no colon', CHILD_CONTENT.replace(':', ' ')],
  ['a semicolon', CHILD_CONTENT.replace(',', ';')],
  ['an equals sign', CHILD_CONTENT.replace(':', '=')],
  ['single quotes', CHILD_CONTENT.replaceAll('"', "'")],
  ['a key without quotes', CHILD_CONTENT.replace('"schemaVersion"', 'schemaVersion')],
  ['a number for a key', '{1:2}'],
  ['a comment to the end of the line', `// x\n${CHILD_CONTENT}`],
  ['a comment', `${CHILD_CONTENT}/* x */`],
  ['a comment with a hash', `# x\n${CHILD_CONTENT}`],
  ['NaN', CHILD_CONTENT.replace('2', 'NaN')],
  ['Infinity', CHILD_CONTENT.replace('2', 'Infinity')],
  ['minus Infinity', CHILD_CONTENT.replace('2', '-Infinity')],
  ['undefined', CHILD_CONTENT.replace('2', 'undefined')],
  ['True', CHILD_CONTENT.replace('2', 'True')],
  ['None', CHILD_CONTENT.replace('2', 'None')],
  ['a hexadecimal number', CHILD_CONTENT.replace('2', '0x2')],
  ['a number with a leading zero', CHILD_CONTENT.replace('2', '02')],
  ['a number with a plus sign', CHILD_CONTENT.replace('2', '+2')],
  ['a number with nothing before the point', CHILD_CONTENT.replace('2', '.2')],
  ['a number with nothing after the point', CHILD_CONTENT.replace('2', '2.')],
  ['a number with nothing after the exponent', CHILD_CONTENT.replace('2', '2e')],
  ['a number with a separator', CHILD_CONTENT.replace('2', '2_0')],
  ['a big integer', CHILD_CONTENT.replace('2', '2n')],
  ['a minus sign alone', CHILD_CONTENT.replace('2', '-')],
  ['a string without an end', '{"schemaVersion":2,"x":"'],
  ['a string that ends in a backslash', '{"schemaVersion":2,"x":"\\"}'],
  ['an unknown escape', '{"schemaVersion":2,"x":"\\x41"}'],
  ['half an escape', '{"schemaVersion":2,"x":"\\u12"}'],
  ['an escape in braces', '{"schemaVersion":2,"x":"\\u{41}"}'],
  ['a line feed in a string', '{"schemaVersion":2,"x":"\n"}'],
  ['a tab in a string', '{"schemaVersion":2,"x":"\t"}'],
  ['a NUL in a string', '{"schemaVersion":2,"x":"\0"}'],
  ['a string over two lines', '{"schemaVersion":2,"x":"\\\n"}'],
  ['a function', 'function(){}'],
  ['a call', `callback(${CHILD_CONTENT})`],
  ['a guard against inclusion', `)]}'\n${CHILD_CONTENT}`],
  ['brackets that cross', '{"layers":[}]'],
  ['YAML', 'schemaVersion: 2\nlayers: []\n'],
  ['XML', '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'],
  ['HTML', '<script>alert(1)</script>'],
  ['a form', 'schemaVersion=2&layers='],
]

rows('no manifest of a known type is', notJson, async ([, content]) => {
  for (const type of TYPES) {
    const { outcome, message } = await refusal(content, type)
    expect([...outcome, message]).toEqual([...INVALID, 'not JSON'])
  }
})

const unreadable: readonly (readonly [string, Content, string])[] = [
  ['a byte order mark', `\ufeff${CHILD_CONTENT}`, 'begins with a byte order mark'],
  ['a byte order mark alone', '\ufeff', 'begins with a byte order mark'],
  ['UTF-16 with its mark', Buffer.from(`\ufeff${CHILD_CONTENT}`, 'utf16le'), 'not UTF-8'],
  ['UTF-16 without, which is full of NULs', Buffer.from(CHILD_CONTENT, 'utf16le'), 'not JSON'],
  ['UTF-16 the other way round', Buffer.from(`\ufeff${CHILD_CONTENT}`, 'utf16le').swap16(), 'not UTF-8'],
  ['UTF-32', Buffer.from(Array.from(`${CHILD_CONTENT}`, (c) => [c.charCodeAt(0), 0, 0, 0]).flat()), 'not JSON'],
  ['Latin-1', Buffer.from('{"x":"\xe9"}', 'latin1'), 'not UTF-8'],
  ['an overlong slash', Buffer.from('{"x":"\xc0\xaf"}', 'latin1'), 'not UTF-8'],
  ['an overlong NUL', Buffer.from('{"x":"\xc0\x80"}', 'latin1'), 'not UTF-8'],
  ['half a surrogate pair in bytes', Buffer.from('{"x":"\xed\xa0\x80"}', 'latin1'), 'not UTF-8'],
  ['a character cut off', Buffer.from('{"x":"\xe2\x82"}', 'latin1'), 'not UTF-8'],
  ['a continuation alone', Buffer.from('{"x":"\x80"}', 'latin1'), 'not UTF-8'],
  ['beyond Unicode', Buffer.from('{"x":"\xf4\x90\x80\x80"}', 'latin1'), 'not UTF-8'],
  ['the byte 0xff', Buffer.from([0xff]), 'not UTF-8'],
  ['gzip', gzipSync(CHILD_CONTENT), 'not UTF-8'],
  ['a list', '[]', 'expected a JSON object'],
  ['an image in a list', `[${CHILD_CONTENT}]`, 'expected a JSON object'],
  ['null', 'null', 'expected a JSON object'],
  ['true', 'true', 'expected a JSON object'],
  ['false', 'false', 'expected a JSON object'],
  ['a string', '"x"', 'expected a JSON object'],
  ['an image in a string', JSON.stringify(CHILD_CONTENT), 'expected a JSON object'],
  ['a number', '2', 'expected a JSON object'],
  ['the smallest number', '-1e400', 'expected a JSON object'],
  ['17 lists in one another', nested(17), 'more than 16 levels deep'],
  ['17 objects in one another', nested(17, '{"a":', '}').replace(':}', ':0}'), 'more than 16 levels deep'],
  ['100,000 lists in one another', nested(100_000), 'more than 16 levels deep'],
  ['4 MiB of open brackets', '['.repeat(4 * 1024 * 1024), 'more than 16 levels deep'],
  ['4 MiB of open braces', '{"":'.repeat(1024 * 1024), 'more than 16 levels deep'],
  [
    'an image with a field that is too deep',
    image({ x: 1 }).replace('"x":1', `"x":${nested(16)}`),
    'more than 16 levels',
  ],
  ['10,001 keys', keys(10_001), 'more than 10000 different keys'],
  ['300,000 keys', keys(300_000), 'more than 10000 different keys'],
  ['10,001 annotations', image({ annotations: JSON.parse(keys(10_001)) }), 'more than 10000 different keys'],
  ['200,001 tokens', `[${'0,'.repeat(200_001)}0]`, 'more than 200000 tokens'],
  ['4 MiB of commas', ','.repeat(4 * 1024 * 1024), 'more than 200000 tokens'],
  ['401 digits', `{"x":${'9'.repeat(401)}}`, 'a number of more than 400 digits'],
  ['4 MiB of digits', '9'.repeat(4 * 1024 * 1024), 'a number of more than 400 digits'],
  ['a fraction of 401 digits', `[0.${'0'.repeat(401)}]`, 'a number of more than 400 digits'],
  ['a key twice', '{"schemaVersion":2,"schemaVersion":2}', 'an object has the same key twice'],
  ['a key twice, once escaped', '{"layers":[],"l\\u0061yers":[]}', 'an object has the same key twice'],
  [
    'a media type twice',
    `{"mediaType":"${ociManifest}","mediaType":"${ociIndex}"}`,
    'an object has the same key twice',
  ],
  [
    'a config twice',
    image({}).replace('{', `{"config":${JSON.stringify(config)},`),
    'an object has the same key twice',
  ],
  ['layers twice, once null', image({}).replace('{', '{"layers":null,'), 'an object has the same key twice'],
  [
    'a digest twice in a layer',
    image({}).replace(/("size":5)/, `$1,"digest":"${DIGEST}"`),
    'an object has the same key twice',
  ],
  ['an annotation twice', '{"annotations":{"a":"1","a":"2"}}', 'an object has the same key twice'],
  ['the empty key twice', '{"":1,"":2}', 'an object has the same key twice'],
  ['a key twice, far inside', '{"x":[[{"y":{"z":1,"z":1}}]]}', 'an object has the same key twice'],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'an object has the same key twice'],
  ['a number for a key twice', '{"0":1,"0":2}', 'an object has the same key twice'],
]

rows('no manifest of a known type is', unreadable, async ([, content, words]) => {
  for (const type of TYPES) {
    const { outcome, message } = await refusal(content, type)
    expect(outcome).toEqual(INVALID)
    expect(message).toContain(words)
  }
})

rows(
  'a manifest is too large',
  [
    ['one byte more than 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1, 0x20)],
    ['an image behind 4 MiB of blanks', Buffer.from(' '.repeat(4 * 1024 * 1024) + CHILD_CONTENT)],
  ],
  async ([, content]) => {
    for (const type of [...TYPES, UNKNOWN]) {
      expect((await refusal(content, type)).outcome).toEqual([413, 'MANIFEST_INVALID'])
    }
  },
)

/** What is changed in an image, and where that is found. */
const badImages: readonly (readonly [string, Fields, string])[] = [
  ['no schema version', { schemaVersion: undefined }, 'schemaVersion'],
  ['schema version 1', { schemaVersion: 1 }, 'schemaVersion'],
  ['schema version 3', { schemaVersion: 3 }, 'schemaVersion'],
  ['schema version -2', { schemaVersion: -2 }, 'schemaVersion'],
  ['schema version 2.5', { schemaVersion: 2.5 }, 'schemaVersion'],
  ['schema version "2"', { schemaVersion: '2' }, 'schemaVersion'],
  ['schema version [2]', { schemaVersion: [2] }, 'schemaVersion'],
  ['schema version null', { schemaVersion: null }, 'schemaVersion'],
  ['schema version true', { schemaVersion: true }, 'schemaVersion'],
  ['schema version 2^53', { schemaVersion: 2 ** 53 }, 'schemaVersion'],
  ['an index’s media type', { mediaType: ociIndex }, 'mediaType'],
  ['Docker’s media type', { mediaType: dockerManifest }, 'mediaType'],
  ['a media type in upper case', { mediaType: ociManifest.toUpperCase() }, 'mediaType'],
  ['a media type with a parameter', { mediaType: `${ociManifest}; a=b` }, 'mediaType'],
  ['a media type with a line end', { mediaType: `${ociManifest}\r\nset-cookie: x` }, 'mediaType'],
  ['a media type with a space', { mediaType: ` ${ociManifest}` }, 'mediaType'],
  ['a media type with a NUL', { mediaType: `${ociManifest}\0` }, 'mediaType'],
  ['a media type that is a number', { mediaType: 2 }, 'mediaType'],
  ['a media type that is false', { mediaType: false }, 'mediaType'],
  ['a media type in a list', { mediaType: [ociManifest] }, 'mediaType'],
  ['a media type in an object', { mediaType: { type: ociManifest } }, 'mediaType'],
  ['no config', { config: undefined }, 'config'],
  ['null for a config', { config: null }, 'config'],
  ['false for a config', { config: false }, 'config'],
  ['zero for a config', { config: 0 }, 'config'],
  ['a list for a config', { config: [config] }, 'config'],
  ['a digest for a config', { config: config.digest }, 'config'],
  ['an empty config', { config: {} }, 'config.mediaType'],
  ['an object for layers', { layers: {} }, 'layers'],
  ['an object like a list for layers', { layers: { 0: layer, length: 1 } }, 'layers'],
  ['a string for layers', { layers: 'x' }, 'layers'],
  ['an empty string for layers', { layers: '' }, 'layers'],
  ['false for layers', { layers: false }, 'layers'],
  ['zero for layers', { layers: 0 }, 'layers'],
  ['one layer without a list', { layers: layer }, 'layers'],
  ['null for a layer', { layers: [layer, null] }, 'layers[1]'],
  ['a digest for a layer', { layers: [layer.digest] }, 'layers[0]'],
  ['a list for a layer', { layers: [[layer]] }, 'layers[0]'],
  ['an empty layer among 1,000', { layers: [...Array(999).fill(layer), {}] }, 'layers[999].mediaType'],
  ['10,001 layers', { layers: Array(10_001).fill(layer) }, 'layers'],
  ['annotations in a list', { annotations: [{ a: 'b' }] }, 'annotations'],
  ['annotations in an empty list', { annotations: [] }, 'annotations'],
  ['a string for annotations', { annotations: 'a=b' }, 'annotations'],
  ['false for annotations', { annotations: false }, 'annotations'],
  ['a number in annotations', { annotations: { a: 1 } }, 'annotations'],
  ['null in annotations', { annotations: { a: null } }, 'annotations'],
  ['a list in annotations', { annotations: { a: ['b'] } }, 'annotations'],
  ['an object in annotations', { annotations: { a: { b: 'c' } } }, 'annotations'],
  [
    'a bad annotation behind 9,000 good ones',
    { annotations: { ...JSON.parse(keys(9_000).replaceAll(':0', ':""')), z: 0 } },
    'annotations',
  ],
  ['an artifact type without a slash', { artifactType: 'sbom' }, 'artifactType'],
  ['an artifact type that is blank', { artifactType: ' ' }, 'artifactType'],
  ['an artifact type with a line end', { artifactType: 'a/b\r\nx: y' }, 'artifactType'],
  ['an artifact type with a letter beyond ASCII', { artifactType: 'a/é' }, 'artifactType'],
  ['a number for an artifact type', { artifactType: 1 }, 'artifactType'],
  ['an object for an artifact type', { artifactType: {} }, 'artifactType'],
  ['an artifact type that is too long', { artifactType: `a/${'b'.repeat(128)}` }, 'artifactType'],
  ['false for a subject', { subject: false }, 'subject'],
  ['zero for a subject', { subject: 0 }, 'subject'],
  ['a digest for a subject', { subject: layer.digest }, 'subject'],
  ['two subjects in a list', { subject: [child, child] }, 'subject'],
  ['an empty subject', { subject: {} }, 'subject.mediaType'],
  ['a subject by tag', { subject: { ...child, digest: 'latest' } }, 'subject.digest'],
  ['a subject without a size', { subject: { ...child, size: undefined } }, 'subject.size'],
]

rows('an image is refused with', badImages, async ([, change, at]) => {
  const { outcome, detail } = await refusal(image(change), ociManifest)
  expect([outcome, detail]).toEqual([INVALID, { at }])
})

const badIndexes: readonly (readonly [string, Fields, string])[] = [
  ['no manifests', { manifests: undefined }, 'manifests'],
  ['an object for manifests', { manifests: {} }, 'manifests'],
  ['a string for manifests', { manifests: 'x' }, 'manifests'],
  ['false for manifests', { manifests: false }, 'manifests'],
  ['null for a child', { manifests: [null] }, 'manifests[0]'],
  ['a digest for a child', { manifests: [child.digest] }, 'manifests[0]'],
  ['a whole image for a child', { manifests: [IMAGE] }, 'manifests[0].digest'],
  ['10,001 children', { manifests: Array(10_001).fill(child) }, 'manifests'],
  ['an image’s media type', { mediaType: ociManifest }, 'mediaType'],
  ['Docker’s media type', { mediaType: dockerList }, 'mediaType'],
  ['schema version 1', { schemaVersion: 1 }, 'schemaVersion'],
  ['a string for a platform', { manifests: [{ ...child, platform: 'linux/amd64' }] }, 'manifests[0].platform'],
  ['a list for a platform', { manifests: [{ ...child, platform: [] }] }, 'manifests[0].platform'],
  ['a number for an os', { manifests: [{ ...child, platform: { os: 1 } }] }, 'manifests[0].platform'],
  [
    'a list for an architecture',
    { manifests: [{ ...child, platform: { architecture: [] } }] },
    'manifests[0].platform',
  ],
  ['null for an os', { manifests: [{ ...child, platform: { os: null } }] }, 'manifests[0].platform'],
  ['a number for a variant', { manifests: [{ ...child, platform: { variant: 8 } }] }, 'manifests[0].platform.variant'],
]

rows('an index is refused with', badIndexes, async ([, change, at]) => {
  const { outcome, detail } = await refusal(index(change), ociIndex)
  expect([outcome, detail]).toEqual([INVALID, { at }])
})

const badDescriptors: readonly (readonly [string, Fields, string])[] = [
  ['no media type', { mediaType: undefined }, 'mediaType'],
  ['an empty media type', { mediaType: '' }, 'mediaType'],
  ['a null media type', { mediaType: null }, 'mediaType'],
  ['a media type without a slash', { mediaType: 'text' }, 'mediaType'],
  ['a media type with a line end', { mediaType: 'a/b\r\nx: y' }, 'mediaType'],
  ['a number for a media type', { mediaType: 1 }, 'mediaType'],
  ['256 characters of parameters', { mediaType: `a/b;${'x'.repeat(256)}` }, 'mediaType'],
  ['no digest', { digest: undefined }, 'digest'],
  ['a null digest', { digest: null }, 'digest'],
  ['an empty digest', { digest: '' }, 'digest'],
  ['a digest in upper case', { digest: `sha256:${'A'.repeat(64)}` }, 'digest'],
  ['a digest that climbs', { digest: `sha256:../../${'a'.repeat(58)}` }, 'digest'],
  ['a digest that is too short', { digest: `sha256:${'a'.repeat(63)}` }, 'digest'],
  ['a digest with a line feed', { digest: `${DIGEST}\n` }, 'digest'],
  ['an algorithm we cannot verify', { digest: `blake3:${'a'.repeat(64)}` }, 'digest'],
  ['an algorithm of every object', { digest: `__proto__:${'a'.repeat(64)}` }, 'digest'],
  ['a list for a digest', { digest: [DIGEST] }, 'digest'],
  ['an object for a digest', { digest: { sha256: 'a'.repeat(64) } }, 'digest'],
  ['no size', { size: undefined }, 'size'],
  ['a null size', { size: null }, 'size'],
  ['a size of -1', { size: -1 }, 'size'],
  ['a size of half a byte', { size: 0.5 }, 'size'],
  ['a size in a string', { size: '10' }, 'size'],
  ['a size in a list', { size: [10] }, 'size'],
  ['a size of 2^53', { size: 2 ** 53 }, 'size'],
  ['a size of 1e300', { size: 1e300 }, 'size'],
  ['true for a size', { size: true }, 'size'],
  ['a string for urls', { urls: 'https://example.com' }, 'urls'],
  ['an object for urls', { urls: {} }, 'urls'],
  ['a number in urls', { urls: [1] }, 'urls'],
  ['null in urls', { urls: [null] }, 'urls'],
  ['a list in urls', { urls: [['https://example.com']] }, 'urls'],
  ['a number for data', { data: 1 }, 'data'],
  ['an object for data', { data: {} }, 'data'],
  ['annotations in a list', { annotations: [] }, 'annotations'],
  ['a number in annotations', { annotations: { a: 1 } }, 'annotations'],
  ['an artifact type that is none', { artifactType: 'x' }, 'artifactType'],
]

rows('a descriptor is refused, wherever it stands, with', badDescriptors, async ([, change, field]) => {
  const places: readonly (readonly [place: string, content: string, type: string])[] = [
    ['config', image({ config: { ...config, ...change } }), ociManifest],
    ['layers[1]', image({ layers: [layer, { ...layer, ...change }] }), ociManifest],
    ['subject', image({ subject: { ...child, ...change } }), ociManifest],
    ['subject', index({ subject: { ...child, ...change } }), ociIndex],
    ['manifests[0]', index({ manifests: [{ ...child, ...change }] }), ociIndex],
  ]
  for (const [place, content, type] of places) {
    const { outcome, detail } = await refusal(content, type)
    expect([outcome, detail]).toEqual([INVALID, { at: `${place}.${field}` }])
  }
})

const literals: readonly (readonly [string, string])[] = [
  ['2^63', '9223372036854775808'],
  ['2^64', '18446744073709551616'],
  ['-2^63', '-9223372036854775808'],
  ['400 digits', '9'.repeat(400)],
  ['1e400, which is infinite', '1e400'],
  ['-1e400', '-1e400'],
  ['5e-324', '5e-324'],
  ['0.1', '0.1'],
  ['-5', '-5'],
]

rows('a size is refused as it is written', literals, async ([, size]) => {
  const { outcome, detail } = await refusal(CHILD_CONTENT.replace('"size":5', `"size":${size}`), ociManifest)
  expect([outcome, detail]).toEqual([INVALID, { at: 'layers[0].size' }])
})

/** Go reads keys without regard to case: what is one of these is another manifest to other registries and clients. */
const variants: readonly (readonly [key: string, content: string, type: string, at?: string])[] = [
  ['Layers', image({ Layers: [] }), ociManifest],
  ['LAYERS', image({ LAYERS: null }), ociManifest],
  ['layerſ', image({ layerſ: [] }), ociManifest],
  ['Config', image({ Config: config }), ociManifest],
  ['mediatype', image({ mediatype: ociIndex }), ociManifest],
  ['SchemaVersion', image({ SchemaVersion: 1 }), ociManifest],
  ['Subject', image({ Subject: child }), ociManifest],
  ['ſubject', image({ ſubject: child }), ociManifest],
  ['Manifests', image({ Manifests: [child] }), ociManifest],
  ['Annotations', image({ Annotations: {} }), ociManifest],
  ['ArtifactType', image({ ArtifactType: 'a/b' }), ociManifest],
  ['mAnIfEsTs', index({ mAnIfEsTs: [] }), ociIndex],
  ['manifestſ', index({ manifestſ: [] }), ociIndex],
  ['Digest', image({ layers: [{ ...layer, Digest: DIGEST }] }), ociManifest, 'layers[0]'],
  ['SIZE', image({ config: { ...config, SIZE: 1 } }), ociManifest, 'config'],
  ['URLs', image({ layers: [{ ...layer, URLs: ['https://example.com'] }] }), ociManifest, 'layers[0]'],
  ['Data', image({ config: { ...config, Data: '' } }), ociManifest, 'config'],
  ['MediaType', image({ subject: { ...child, MediaType: '' } }), ociManifest, 'subject'],
  ['Platform', index({ manifests: [{ ...child, Platform: {} }] }), ociIndex, 'manifests[0]'],
  ['OS', index({ manifests: [{ ...child, platform: { OS: 'x' } }] }), ociIndex, 'manifests[0].platform'],
]

rows('a known key in another case is refused', variants, async ([key, content, type, at]) => {
  const { outcome, message, detail } = await refusal(content, type)
  expect(outcome).toEqual(INVALID)
  expect(message).toContain(`the key ${JSON.stringify(key)} is a known one in another case`)
  expect(detail).toEqual(at === undefined ? undefined : { at })
})

const UNTYPED = { mediaType: undefined }

/** CVE-2021-41190: one document must not be two things. */
const ambiguous: readonly (readonly [string, string, string | undefined, string])[] = [
  [
    'both families under an image’s type',
    image({ manifests: [child] }),
    ociManifest,
    'an image manifest has no manifests',
  ],
  [
    'both families under an index’s type',
    index({ layers: [layer] }),
    ociIndex,
    'an index has neither config nor layers',
  ],
  ['a config in an index', index({ config }), ociIndex, 'an index has neither config nor layers'],
  ['an empty config in an index', index({ config: {} }), ociIndex, 'an index has neither config nor layers'],
  ['no layers in an index', index({ layers: [] }), ociIndex, 'an index has neither config nor layers'],
  ['false for layers in an index', index({ layers: false }), ociIndex, 'an index has neither config nor layers'],
  ['no manifests in an image', image({ manifests: [] }), ociManifest, 'an image manifest has no manifests'],
  ['false for manifests in an image', image({ manifests: false }), ociManifest, 'an image manifest has no manifests'],
  ['both, by their shape alone', image({ ...UNTYPED, manifests: [] }), undefined, 'an index has neither config'],
  ['an image as an index', image({}), ociIndex, `mediaType: expected ${ociIndex}`],
  ['an index as an image', index({}), ociManifest, `mediaType: expected ${ociManifest}`],
  ['an image without a type as an index', image(UNTYPED), ociIndex, 'an index has neither config nor layers'],
  ['an index without a type as an image', index(UNTYPED), ociManifest, 'an image manifest has no manifests'],
  ['an image as Docker’s', image({}), dockerManifest, `mediaType: expected ${dockerManifest}`],
  ['an image without a type as Docker’s', image(UNTYPED), dockerManifest, `mediaType: expected ${dockerManifest}`],
  ['an image of an empty type as Docker’s', image({ mediaType: '' }), dockerManifest, 'mediaType: expected'],
  ['Docker’s image as OCI’s', image({ mediaType: dockerManifest }), ociManifest, `mediaType: expected ${ociManifest}`],
  ['an index as Docker’s list', index({}), dockerList, `mediaType: expected ${dockerList}`],
  ['an index of a null type as Docker’s list', index({ mediaType: null }), dockerList, 'mediaType: expected'],
  ['an image as something else', image({}), UNKNOWN, `mediaType: expected ${UNKNOWN}`],
  ['something else that says it is another', '{"mediaType":"a/b"}', UNKNOWN, `mediaType: expected ${UNKNOWN}`],
  ['something else whose type is a number', '{"mediaType":1}', UNKNOWN, `mediaType: expected ${UNKNOWN}`],
  [
    'an image behind another type',
    `{"mediaType":"${UNKNOWN}","mediaType":"${ociManifest}"}`,
    UNKNOWN,
    'mediaType: expected',
  ],
  ['an image as JSON', image({}), 'application/json', 'mediaType: expected application/json'],
  ['an image as bytes', image({}), 'application/octet-stream', 'mediaType: expected application/octet-stream'],
  ['nothing that tells its type', '{}', undefined, 'the Content-Type of the manifest is missing'],
  [
    'a type that would split a header',
    '{"mediaType":"a/b\\r\\nx: y"}',
    undefined,
    'Content-Type of the manifest is missing',
  ],
  [
    'Docker’s first schema, by its shape',
    '{"schemaVersion":1,"fsLayers":[]}',
    undefined,
    'Content-Type of the manifest is missing',
  ],
  ['a page, by what it says', '{"mediaType":"text/html"}', undefined, 'a manifest cannot be of type text/html'],
]

rows('one document is one thing', ambiguous, async ([, content, type, words]) => {
  const { outcome, message } = await refusal(content, type)
  expect(outcome).toEqual(INVALID)
  expect(message).toContain(words)
})

const SHA512: Digest = `sha512:${'b'.repeat(128)}`
const missing = { ...layer, digest: DIGEST }

const dangling: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['a config', image({ config: { ...config, digest: DIGEST } }), ociManifest, [DIGEST]],
  ['a layer', image({ layers: [layer, missing] }), ociManifest, [DIGEST]],
  ['a layer, twice', image({ layers: [missing, missing] }), ociManifest, [DIGEST]],
  [
    'config and layer',
    image({ config: { ...config, digest: DIGEST }, layers: [{ ...layer, digest: SHA512 }] }),
    ociManifest,
    [DIGEST, SHA512],
  ],
  ['a layer with no urls', image({ layers: [{ ...missing, urls: [] }] }), ociManifest, [DIGEST]],
  ['a layer with its data beside it', image({ layers: [{ ...missing, data: 'eA==' }] }), ociManifest, [DIGEST]],
  ['a layer of no bytes', image({ layers: [{ ...missing, size: 0 }] }), ociManifest, [DIGEST]],
]

rows('a reference to nothing is refused', dangling, async ([, content, type, digests]) => {
  const { status, error } = await shared.ask('PUT', '/v2/a/manifests/x', {
    body: content,
    headers: { 'content-type': type },
  })
  expect([status, error.code, error.detail]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN', { missing: digests }])
})

rows(
  'a digest that is another content’s is refused',
  [
    ['sha256', DIGEST],
    ['sha512', SHA512],
    ['of the content with a line feed', digestOf(Buffer.from(`${CHILD_CONTENT}\n`))],
    ['of the content, as an image that is here', child.digest],
  ],
  async ([, digest]) => {
    const body = image({ x: 1 })
    const { status, error } = await shared.ask('PUT', `/v2/a/manifests/${digest}`, {
      body,
      headers: { 'content-type': ociManifest },
    })
    expect([status, error.code, error.detail]).toEqual([
      400,
      'DIGEST_INVALID',
      { expected: digest, received: digestOf(Buffer.from(body), digest.startsWith('sha512') ? 'sha512' : 'sha256') },
    ])
  },
)

const odd: readonly (readonly [string, Content, string])[] = [
  ['blanks between all', JSON.stringify(IMAGE, null, '\t').replaceAll('\n', '\r\n'), ociManifest],
  ['blanks around', ` \r\n\t${CHILD_CONTENT} \n`, ociManifest],
  ['2.0 for the version', CHILD_CONTENT.replace(':2,', ':2.0,'), ociManifest],
  ['20e-1 for the version', CHILD_CONTENT.replace(':2,', ':20e-1,'), ociManifest],
  ['5.0 for a size', CHILD_CONTENT.replace(':5}', ':5.0}'), ociManifest],
  ['0.5e1 for a size', CHILD_CONTENT.replace(':5}', ':0.5e1}'), ociManifest],
  ['-0 for a size', CHILD_CONTENT.replace(':5}', ':-0}'), ociManifest],
  ['a key that is escaped', CHILD_CONTENT.replace('"layers"', '"\\u006cayers"'), ociManifest],
  ['a slash that is escaped', CHILD_CONTENT.replaceAll('/', '\\/'), ociManifest],
  ['no media type', image(UNTYPED), ociManifest],
  ['a null media type', image({ mediaType: null }), ociManifest],
  ['an empty media type', image({ mediaType: '' }), ociManifest],
  ['no layers', image({ layers: [] }), ociManifest],
  ['null for layers', image({ layers: null }), ociManifest],
  ['layers left out', image({ layers: undefined }), ociManifest],
  ['null for manifests', image({ manifests: null }), ociManifest],
  ['null for a subject', image({ subject: null }), ociManifest],
  ['null for annotations', image({ annotations: null }), ociManifest],
  ['the config for a layer', image({ layers: [config] }), ociManifest],
  ['10,000 layers, all the same', image({ layers: Array(10_000).fill(layer) }), ociManifest],
  ['a size that is not the layer’s', image({ layers: [{ ...layer, size: Number.MAX_SAFE_INTEGER }] }), ociManifest],
  ['a subject that nobody has', image({ subject: { ...child, digest: DIGEST } }), ociManifest],
  ['a subject that is its own layer', image({ subject: { ...child, digest: layer.digest } }), ociManifest],
  ['a subject of no size', image({ subject: { ...child, size: 0 } }), ociManifest],
  [
    'a layer that is elsewhere',
    image({ layers: [{ ...missing, urls: ['file:///etc/passwd', 'not a url'] }] }),
    ociManifest,
  ],
  ['a layer not to be handed on', image({ layers: [{ ...missing, mediaType: 'a/nondistributable' }] }), ociManifest],
  ['an empty config', image({ config: { ...config, mediaType: ociEmpty, data: 'e30=' } }), ociManifest],
  ['data that is no base64', image({ config: { ...config, data: '%%%' } }), ociManifest],
  [
    'annotations in any case',
    image({ annotations: { Layers: 'x', layers: 'y', MediaType: 'z', '': '' } }),
    ociManifest,
  ],
  ['annotations with controls', image({ annotations: { '\r\nx: y': '\0\u001b[31m\u202e' } }), ociManifest],
  ['annotations with half a character', `${image({}).slice(0, -1)},"annotations":{"a":"\\ud800"}}`, ociManifest],
  ['an annotation of 1 MiB', image({ annotations: { a: 'x'.repeat(2 ** 20) } }), ociManifest],
  ['9,000 annotations', image({ annotations: JSON.parse(keys(9_000).replaceAll(':0', ':""')) }), ociManifest],
  ['keys that are the same to Unicode', image({ annotations: { 'e\u0301': '1', é: '2' } }), ociManifest],
  [
    'keys of every object',
    CHILD_CONTENT.replace('{', '{"__proto__":{"layers":[]},"constructor":{},"toString":1,'),
    ociManifest,
  ],
  ['unknown fields', image({ 'org.example': { Config: 1, config: 2 }, x: [[[{ LAYERS: [] }]]] }), ociManifest],
  ['an unknown number beyond all', CHILD_CONTENT.replace('{', `{"x":${'9'.repeat(400)},"y":-1e400,`), ociManifest],
  ['16 levels', image({ x: 1 }).replace('"x":1', `"x":${nested(15)}`), ociManifest],
  ['exactly 4 MiB', CHILD_CONTENT.padEnd(4 * 1024 * 1024), ociManifest],
  ['Docker’s image', image({ mediaType: dockerManifest }), dockerManifest],
  ['an index of nothing', index({ manifests: [] }), ociIndex],
  ['null for children', index({ manifests: null }), ociIndex],
  ['null for config and layers', index({ config: null, layers: null }), ociIndex],
  ['a layer for a child, as in BuildKit’s cache', index({ manifests: [layer, config] }), ociIndex],
  ['10,000 children, all the same', index({ manifests: Array(10_000).fill(child) }), ociIndex],
  ['a child that nobody has', index({ manifests: [{ ...child, digest: DIGEST }] }), ociIndex],
  ['a child of another algorithm', index({ manifests: [{ ...child, digest: SHA512 }] }), ociIndex],
  ['an empty platform', index({ manifests: [{ ...child, platform: {} }] }), ociIndex],
  [
    'a platform nobody has',
    index({ manifests: [{ ...child, platform: { os: '../..', architecture: '\0' } }] }),
    ociIndex,
  ],
  ['Docker’s list', index({ mediaType: dockerList }), dockerList],
  ['nothing, as something else', '', UNKNOWN],
  ['binary, as something else', Buffer.from([0, 255, 128]), UNKNOWN],
  ['a list, as something else', '[1]', UNKNOWN],
  ['a key twice, as something else', '{"a":1,"a":2}', UNKNOWN],
  ['what is too deep, as something else', nested(1000), UNKNOWN],
  ['300,000 keys, as something else', keys(300_000), UNKNOWN],
  ['its own type in upper case', JSON.stringify({ mediaType: UNKNOWN.toUpperCase() }), UNKNOWN.toUpperCase()],
  ['two subjects, as something else', `{"subject":${JSON.stringify(child)},"subject":1}`, UNKNOWN],
  ['a subject that is none, as something else', '{"subject":{"digest":"x"}}', UNKNOWN],
  ['an image without a type, as something else', image(UNTYPED), UNKNOWN],
  ['a byte order mark, as something else', `\ufeff${CHILD_CONTENT}`, UNKNOWN],
]

rows('what is odd and a manifest comes back as it is', odd, async ([, content, type]) => {
  const { ask } = await stocked()
  const bytes = Buffer.from(content)
  const put = await ask('PUT', '/v2/a/manifests/x', { body: bytes, headers: { 'content-type': type } })
  expect([put.status, put.headers['docker-content-digest']]).toEqual([201, digestOf(bytes)])
  for (const reference of ['x', digestOf(bytes)]) {
    const { status, headers, body } = await ask('GET', `/v2/a/manifests/${reference}`)
    expect([status, headers['content-type'], headers['content-length']]).toEqual([200, type, String(bytes.byteLength)])
    expect(body.equals(bytes)).toBe(true)
  }
  expect((await ask('DELETE', `/v2/a/manifests/${digestOf(bytes)}`)).status).toBe(202)
  expect((await ask('GET', '/v2/a/manifests/x')).status).toBe(404)
})
