/** What the OCI conformance suite pushes, in miniature, and what real tools push: all of it must be accepted. */
import { describe, expect, it } from 'vitest'
import { detectMediaType, parseManifest } from '../../src/spec/manifest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { config, json, layer, SHA512_DIGEST } from './support.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList, ociEmpty } = MEDIA_TYPES
const EXAMPLE = 'application/vnd.example.oci.conformance.v1'
const child = { mediaType: ociManifest, digest: layer.digest, size: 500 }
const image = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer, layer] }
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [child] }
const artifact = {
  ...image,
  artifactType: EXAMPLE,
  config: { ...config, mediaType: ociEmpty },
  layers: [{ ...layer, mediaType: EXAMPLE }],
}
const largeAnnotations = Object.fromEntries(
  Array.from({ length: 390 }, (_, i) => [`large-annotation-${i}`, 'A'.repeat(10_000)]),
)

describe('parseManifest', () => {
  it.each([
    ['an image', image],
    [
      'an uncompressed image',
      { ...image, layers: [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar' }] },
    ],
    ['a manifest of 3.9 MB', { ...image, annotations: largeAnnotations }],
    ['an index', { ...index, manifests: [{ ...child, platform: { architecture: 'amd64', os: 'linux' } }] }],
    ['an index of indexes', { ...index, manifests: [{ ...child, mediaType: ociIndex }] }],
    ['an empty index', { ...index, manifests: [] }],
    ['an artifact', artifact],
    ['an index of artifacts', { ...index, artifactType: EXAMPLE }],
    ['an artifact without layers', { ...artifact, layers: [{ ...layer, mediaType: ociEmpty, size: 2 }] }],
    ['an image with a subject', { ...image, subject: child }],
    [
      'an artifact with a subject',
      { ...artifact, subject: child, annotations: { 'org.opencontainers.conformance': 'x' } },
    ],
    ['an index with a subject', { ...index, artifactType: EXAMPLE, subject: { ...child, mediaType: ociIndex } }],
    ['a data field', { ...image, config: { ...config, data: 'e30=' }, layers: [{ ...layer, data: 'AAEC' }] }],
    [
      'nondistributable layers',
      {
        ...image,
        layers: [
          {
            ...layer,
            mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
            urls: ['https://store.example.com/blobs/sha256/x'],
          },
        ],
      },
    ],
    ['custom fields', { ...index, 'org.K7JQ2VPXZ4': 'x', manifests: [{ ...child, 'org.X': { any: [1, null] } }] }],
    ['no layers', { ...image, layers: [] }],
    [
      'sha512',
      { ...image, layers: [{ ...layer, digest: SHA512_DIGEST }], config: { ...config, digest: SHA512_DIGEST } },
    ],
    ['no media type', { ...image, mediaType: undefined }],
    ['what docker pushes', { ...image, mediaType: dockerManifest }],
    ['what docker manifest pushes', { ...index, mediaType: dockerList }],
    [
      'what BuildKit pushes as a cache',
      {
        ...index,
        manifests: [
          {
            ...layer,
            annotations: { 'buildkit/createdat': '2024-01-01T00:00:00Z', 'containerd.io/uncompressed': 'x' },
          },
          { ...config, mediaType: 'application/vnd.buildkit.cacheconfig.v0' },
        ],
      },
    ],
    [
      'what BuildKit pushes as an attestation',
      {
        ...index,
        manifests: [
          {
            ...child,
            annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': 'x' },
            platform: { architecture: 'unknown', os: 'unknown' },
          },
        ],
      },
    ],
    [
      'what cosign pushes as a signature',
      {
        ...image,
        layers: [
          {
            ...layer,
            mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
            annotations: { 'dev.cosignproject.cosign/signature': 'MEUCIQD=' },
          },
        ],
      },
    ],
    [
      'what GitHub pushes as an attestation',
      {
        ...artifact,
        artifactType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
        layers: [{ ...layer, mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2' }],
        subject: child,
      },
    ],
    [
      'what Helm pushes',
      { ...image, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' }, layers: [layer] },
    ],
    ['what a Go program writes of nil slices', { ...image, mediaType: undefined, layers: null, annotations: null }],
  ])('takes %s', (_, value) => {
    const content = json(value)
    const mediaType = detectMediaType(content)
    expect(mediaType).toBeDefined()
    expect(parseManifest(content, mediaType ?? '').mediaType).toBe(mediaType)
  })

  it.each([
    [
      'Docker’s schema 1',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      { schemaVersion: 1, fsLayers: [] },
    ],
    ['ORAS’s artifacts', 'application/vnd.cncf.oras.artifact.manifest.v1+json', { blobs: [layer], subject: child }],
    [
      'the artifact manifest of a release candidate',
      'application/vnd.oci.artifact.manifest.v1+json',
      {
        mediaType: 'application/vnd.oci.artifact.manifest.v1+json',
        artifactType: EXAMPLE,
        blobs: [layer],
        subject: child,
      },
    ],
  ])('takes %s as it is', (_, mediaType, value) => {
    expect(parseManifest(json(value), mediaType)).toMatchObject({ kind: 'opaque', mediaType })
  })
})
