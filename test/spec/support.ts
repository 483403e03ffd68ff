import { expect } from 'vitest'
import { RegistryError } from '../../src/errors.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import type { Digest } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'

/** What `run` throws, which must be one of ours. */
export function refusal(run: () => unknown): RegistryError {
  try {
    run()
  } catch (error) {
    expect(RegistryError.is(error), String(error)).toBe(true)
    return error as RegistryError
  }
  throw new Error('was accepted')
}

/** Keys as storage drivers have to take them. */
export function isKeySafe(key: string): boolean {
  return key.split('/').every((part) => /^[A-Za-z0-9._+=-]+$/.test(part) && part !== '.' && part !== '..')
}

export const DIGEST: Digest = `sha256:${'a1'.repeat(32)}`
export const SHA512_DIGEST: Digest = `sha512:${'b2'.repeat(64)}`

export const config: Descriptor = { mediaType: MEDIA_TYPES.ociConfig, digest: DIGEST, size: 2 }
export const layer: Descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: `sha256:${'c3'.repeat(32)}`,
  size: 2048,
}

export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
