import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import { isDigest } from '../../src/spec/digest.ts'
import { detectMediaType, type ParsedManifest, parseManifest } from '../../src/spec/manifest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { config, json, layer } from './support.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList } = MEDIA_TYPES
const TYPES = [ociManifest, ociIndex, dockerManifest, dockerList, 'application/vnd.example.thing']

/** What came of it; anything but a manifest or `MANIFEST_INVALID` fails the test. */
function outcome(content: Uint8Array, mediaType: string): ParsedManifest | undefined {
  try {
    return parseManifest(content, mediaType)
  } catch (error) {
    if (!RegistryError.is(error, 'MANIFEST_INVALID')) throw error
    return undefined
  }
}

const VALID = json({
  schemaVersion: 2,
  mediaType: ociManifest,
  config,
  layers: [layer, { ...layer, annotations: { a: 'b' }, urls: ['https://example.com'] }],
  subject: { ...config, mediaType: ociManifest },
  annotations: { title: 'x' },
})

describe('parseManifest', () => {
  it('answers any bytes with a manifest or MANIFEST_INVALID', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...TYPES), (content, type) => {
        outcome(content, type)
        detectMediaType(content)
      }),
      { numRuns: 5000 },
    )
  })

  it('answers any JSON with a manifest or MANIFEST_INVALID', () => {
    const names = fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'subject',
      'x',
      'Layers',
    )
    const values = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom<unknown>(2, ociManifest, ociIndex, config, [layer], [config, null], {}, []),
    )
    fc.assert(
      fc.property(fc.dictionary(names, values), fc.constantFrom(...TYPES), (value, type) => {
        outcome(json(value), type)
        detectMediaType(json(value))
      }),
      { numRuns: 5000 },
    )
  })

  it('answers a manifest that was damaged in one place, and what it accepts is well-formed', () => {
    const damage = fc.record({
      at: fc.nat(VALID.length),
      removed: fc.nat(3),
      inserted: fc.uint8Array({ maxLength: 3 }),
    })
    fc.assert(
      fc.property(damage, ({ at, removed, inserted }) => {
        const content = Buffer.concat([VALID.subarray(0, at), inserted, VALID.subarray(at + removed)])
        const manifest = outcome(content, ociManifest)
        for (const one of [manifest?.config, manifest?.subject, ...(manifest?.layers ?? [])]) {
          if (one === undefined) continue
          expect(isDigest(one.digest) && Number.isSafeInteger(one.size) && one.size >= 0).toBe(true)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('accepts nothing that Go would read differently', () => {
    // Documents of one JSON object, whose keys come twice, in other cases and escaped.
    const spellings = [
      'layers',
      'Layers',
      'LAYERS',
      'layerſ',
      'l\\u0061yers',
      'manifests',
      'Manifests',
      'config',
      'CONFIG',
      'x',
    ]
    const values = [
      '[]',
      'null',
      JSON.stringify([layer]),
      JSON.stringify([{ ...layer, size: 1 }]),
      JSON.stringify(config),
    ]
    const member = fc.tuple(fc.constantFrom(...spellings), fc.constantFrom(...values))
    const base = fc.constantFrom<readonly (readonly [string, string])[]>(
      [['config', JSON.stringify(config)]],
      [['manifests', '[]']],
    )
    let accepted = 0
    fc.assert(
      fc.property(
        base,
        fc.array(member, { maxLength: 3 }),
        fc.constantFrom(ociManifest, ociIndex),
        (head, more, type) => {
          const members = [['schemaVersion', '2'] as const, ...head, ...more]
          const manifest = outcome(
            Buffer.from(`{${members.map(([key, value]) => `"${key}":${value}`).join(',')}}`),
            type,
          )
          if (manifest === undefined) return
          accepted++
          const asGo = readAsGo(members)
          expect(manifest.layers).toEqual(asGo.get('layers') ?? [])
          expect(manifest.manifests).toEqual(asGo.get('manifests') ?? [])
          expect(manifest.config).toEqual(asGo.get('config') ?? undefined)
        },
      ),
      { numRuns: 5000 },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})

/** Keys without regard to case, the last one wins, null changes nothing. */
function readAsGo(members: readonly (readonly [key: string, value: string])[]): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>()
  for (const [key, text] of members) {
    const name = String(JSON.parse(`"${key}"`))
      .toLowerCase()
      .replaceAll('ſ', 's')
    const value: unknown = JSON.parse(text)
    if (value !== null) fields.set(name, value)
  }
  return fields
}
