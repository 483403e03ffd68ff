import type { Backend, Blobs, Manifests, OperationContext, StatBlobOptions } from '../../backend.ts'
import { DamagedContentError, NO_BLOB, NO_MANIFEST, unless } from '../../errors.ts'
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
    const size = await sizeOfBlob(backend.repository(name).blobs, digest, context)
    return size === undefined ? undefined : { name, size }
  }
}

/** For what is there already and is pushed again: it must not be collected meanwhile. */
export const RELIED_UPON: StatBlobOptions = { reliedUpon: true }

/** The size of a blob; `undefined` where it is not. */
export async function sizeOfBlob(blobs: Blobs, digest: Digest, options?: StatBlobOptions): Promise<number | undefined> {
  return (await unless(NO_BLOB, blobs.stat(digest, options)))?.size
}

/** The same of a manifest. One that is damaged is none: it can be pushed again. */
export async function sizeOfManifest(manifests: Manifests, digest: Digest): Promise<number | undefined> {
  try {
    return (await unless(NO_MANIFEST, manifests.stat(digest)))?.size
  } catch (error) {
    if (error instanceof DamagedContentError) return undefined
    throw error
  }
}
