import type { Backend, Blobs, Manifests, OperationContext } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { Digest } from '../../spec/digest.ts'

/** Where a blob can be mounted from, and its size. */
export async function findSource(
  backend: Backend,
  digest: Digest,
  from: string | AsyncIterable<string>,
  context: OperationContext,
): Promise<{ readonly name: string; readonly size: number } | undefined> {
  if (typeof from === 'string') return look(from)
  for await (const name of from) {
    const found = await look(name)
    if (found !== undefined) return found
  }
  return undefined

  async function look(name: string) {
    try {
      const { size } = await backend.repository(name).blobs.stat(digest, context)
      return { name, size }
    } catch (error) {
      if (RegistryError.is(error, 'BLOB_UNKNOWN')) return undefined
      throw error
    }
  }
}

/** Whether a blob is here already, so that it takes no room; whoever asks relies upon it. */
export async function has(blobs: Blobs, digest: Digest): Promise<boolean> {
  try {
    await blobs.stat(digest, { reliedUpon: true })
    return true
  } catch (error) {
    if (RegistryError.is(error, 'BLOB_UNKNOWN')) return false
    throw error
  }
}

export async function hasManifest(manifests: Manifests, digest: Digest): Promise<boolean> {
  try {
    await manifests.stat(digest)
    return true
  } catch (error) {
    if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return false
    throw error
  }
}
