import fc from 'fast-check'
import type { Route } from '../../src/http/route.ts'

/** Every kind of route, with names, tags and digests of every shape. */
export function anyRoute(): fc.Arbitrary<Route> {
  const component = fc.stringMatching(/^[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5})?$/)
  const name = fc
    .array(fc.oneof(component, fc.constantFrom('blobs', 'uploads', 'manifests', 'tags', 'list')), {
      minLength: 1,
      maxLength: 5,
    })
    .map((components) => components.join('/'))
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
  const digest = fc.oneof(
    hex(64).map((text) => `sha256:${text}` as const),
    hex(128).map((text) => `sha512:${text}` as const),
  )
  const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/)
  const upload = fc.stringMatching(/^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,30}$/)
  const reference = fc.oneof(digest, tag)
  const limit = fc.nat()
  return fc.oneof(
    fc.constant({ kind: 'ping' } as const),
    fc.constant({ kind: 'preflight' } as const),
    fc.constant({ kind: 'token' } as const),
    fc.record({ kind: fc.constant('catalog' as const), limit, after: name }, { requiredKeys: ['kind'] }),
    fc.record({ kind: fc.constantFrom('getBlob', 'headBlob', 'deleteBlob'), name, digest }),
    fc.record({ kind: fc.constant('startUpload'), name, algorithm: fc.constantFrom('sha256', 'sha512') }),
    fc.record({ kind: fc.constant('uploadBlob'), name, digest }),
    fc.record(
      { kind: fc.constant('mountBlob' as const), name, digest, from: name },
      { requiredKeys: ['kind', 'name', 'digest'] },
    ),
    fc.record({ kind: fc.constantFrom('uploadStatus', 'uploadChunk', 'cancelUpload'), name, upload }),
    fc.record({ kind: fc.constant('finishUpload'), name, upload, digest }),
    fc.record({ kind: fc.constantFrom('getManifest', 'headManifest', 'deleteManifest'), name, reference }),
    fc.record({ kind: fc.constant('putManifest'), name, reference, tags: fc.uniqueArray(tag, { maxLength: 12 }) }),
    fc.record({ kind: fc.constant('deleteRepository'), name }),
    fc.record({ kind: fc.constant('listTags' as const), name, limit, after: tag }, { requiredKeys: ['kind', 'name'] }),
    fc.record(
      {
        kind: fc.constant('listReferrers' as const),
        name,
        digest,
        artifactType: fc.string({ unit: 'grapheme' }),
        limit,
        after: digest,
      },
      { requiredKeys: ['kind', 'name', 'digest'] },
    ),
  ) as fc.Arbitrary<Route> // each record is one of the union's members; fast-check widens their constants
}
