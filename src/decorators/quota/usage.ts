import type { Backend, Repository } from '../../backend.ts'
import { inParallel } from '../../in-parallel.ts'
import type { Digest } from '../../spec/digest.ts'
import { sizeOfBlob, sizeOfManifest } from './presence.ts'

/** How many sizes are looked up at once. */
const AT_ONCE = 16

/** How many digests are read from a listing before that. */
const BATCH = 256

/** What a repository holds, in bytes: its manifests and blobs, each once, whether a tag leads to it or not. */
export async function bytesOf({ blobs, manifests }: Repository): Promise<number> {
  const seen = new Set<Digest>()
  const ofManifests = await sum(manifests.list(), seen, (digest) => sizeOfManifest(manifests, digest))
  // A layout lists manifests among its blobs.
  return ofManifests + (await sum(blobs.list(), seen, (digest) => sizeOfBlob(blobs, digest)))
}

/** What the repositories below a prefix hold together, in bytes. */
export async function bytesBelow(backend: Backend, prefix: string): Promise<number> {
  let bytes = 0
  for await (const name of backend.repositories({ after: prefix.slice(0, -1), withBlobsOnly: true })) {
    if (name.startsWith(prefix)) {
      const more = await bytesOf(backend.repository(name))
      bytes += more
    } else if (name > prefix) break
  }
  return bytes
}

async function sum(
  digests: AsyncIterable<Digest>,
  seen: Set<Digest>,
  sizeOf: (digest: Digest) => Promise<number | undefined>,
): Promise<number> {
  let bytes = 0
  const add = (batch: readonly Digest[]) =>
    inParallel(batch, AT_ONCE, async (digest) => {
      // What went since it was listed takes nothing.
      const size = (await sizeOf(digest)) ?? 0
      bytes += size
    })
  let batch: Digest[] = []
  for await (const digest of digests) {
    if (seen.has(digest)) continue
    seen.add(digest)
    if (batch.push(digest) < BATCH) continue
    await add(batch)
    batch = []
  }
  await add(batch)
  return bytes
}
