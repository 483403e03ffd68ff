import type { Repository } from '../../src/backend.ts'
import { type QuotaOptions, quota } from '../../src/decorators/quota.ts'
import { NO_BLOB, unless } from '../../src/errors.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { collect, json } from '../support/images.ts'
import { decorated } from './support.ts'

/** So many bytes that no other name makes. */
export const blob = (name: string, size: number) => Buffer.alloc(size, `${name}.`)

/** An index of nothing, of 200 bytes. */
export function manifest(name: string): Uint8Array {
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [], annotations: { n: '' } }
  return json({ ...index, annotations: { n: name.padEnd(200 - json(index).byteLength, '.') } })
}
export const INDEX = { mediaType: MEDIA_TYPES.ociIndex }

/** `app` may hold 1000 bytes. */
export function limited(options: Partial<QuotaOptions> = {}) {
  let now = 0
  const both = decorated(
    quota({ limits: [{ repository: 'app', maxBytes: 1000 }], now: () => now, ...options } as QuotaOptions),
  )
  return {
    ...both,
    app: both.backend.repository('app'),
    other: both.backend.repository('other'),
    pass: (ms: number) => {
      now += ms
    },
  }
}

/** What is stored. Something may be deleted meanwhile. */
export async function held({ blobs, manifests }: Repository): Promise<number> {
  let size = 0
  for (const digest of await collect(blobs.list())) size += (await unless(NO_BLOB, blobs.stat(digest)))?.size ?? 0
  for (const digest of await collect(manifests.list())) size += (await manifests.stat(digest)).size
  return size
}
