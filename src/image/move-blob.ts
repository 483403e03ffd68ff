import type { OperationContext } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Place } from './source.ts'

/** Has `target` hold a blob of `source`: nothing where it is there, mounted where that goes, else copied and checked. */
export async function moveBlob(
  source: Place,
  target: Place,
  { digest, size }: Descriptor,
  context: OperationContext,
): Promise<void> {
  const there = target.repository.blobs.stat(digest, { ...context, reliedUpon: true })
  if (await there.then(() => true, absent)) return
  if (mayMount(source, target)) {
    const mounted = target.repository.blobs.mount(digest, source.repository.name, context)
    if (await mounted.then(() => true, unmountable)) return
  }
  // Not hashed here: the target does, and takes nothing else than was announced.
  const { body } = await source.repository.blobs.open(digest, { ...context, verify: false })
  await using _ = body
  await target.repository.blobs.put(body.stream(), { ...context, digest, size })
}

/** Where it is not known whether they are one place, trying costs a request, and can only ever give the right bytes. */
function mayMount({ backend: one }: Place, { backend: other }: Place): boolean {
  if (one === undefined || other === undefined || one === other) return true
  return one.origin !== undefined && one.origin === other.origin
}

function absent(error: unknown): boolean {
  if (RegistryError.is(error, 'BLOB_UNKNOWN') || RegistryError.is(error, 'NAME_UNKNOWN')) return false
  throw error
}

/** Whoever may not mount from there may still be allowed to read there and to write here. */
function unmountable(error: unknown): boolean {
  const isRefused = (['DENIED', 'UNAUTHORIZED', 'UNSUPPORTED'] as const).some((code) => RegistryError.is(error, code))
  return isRefused ? false : absent(error)
}
