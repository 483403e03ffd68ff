import { describe, expect, it } from 'vitest'
import { findCaseVariant, knownKeys } from '../../src/spec/known-keys.ts'

const KNOWN = knownKeys('layers', 'mediaType', 'os.version', 'tokens')

describe('findCaseVariant', () => {
  it.each([
    'Layers',
    'LAYERS',
    'lAYERS',
    'layerS',
    'layerſ', // to Go's encoding/json a long s is an s
    'LAYERſ',
    'mediatype',
    'MediaType',
    'OS.Version',
    'os.verſion',
    'to\u212aens', // the Kelvin sign
    'to\u212aenſ',
  ])('finds %j', (key) => {
    expect(findCaseVariant({ layers: [], [key]: 1 }, KNOWN)).toBe(key)
  })

  it.each([
    'layers',
    'layer',
    'layers ',
    ' layers',
    'layerss',
    'layers\u0000',
    'Layer',
    'os_version',
    'OSVersion',
    'ｌayers', // full width
    'l\u0430yers', // Cyrillic а
    'láyers',
    'medıaType', // dotless i
    'medİaType',
    'org.example.LAYERS',
    '__proto__',
    'constructor',
    'X'.repeat(100_000),
  ])('lets %j be', (key) => {
    expect(findCaseVariant(JSON.parse(`{${JSON.stringify(key)}:1}`), KNOWN)).toBeUndefined()
  })
})
