import type { OperationContext } from '../backend.ts'
import { type ErrorCode, NO_BLOB, unless } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import type { Place } from './source.ts'

/** Whoever may not mount from there may still be allowed to read there and to write here. */
const UNMOUNTABLE: readonly ErrorCode[] = [...NO_BLOB, 'DENIED', 'UNAUTHORIZED', 'UNSUPPORTED']

/** Has `target` hold a blob of `source`: nothing where it is there, mounted where that goes, else copied and checked. */
export async function moveBlob(
  source: Place,
  target: Place,
  { digest, size }: Descriptor,
  context: OperationContext,
): Promise<void> {
  if (await unless(NO_BLOB, target.repository.blobs.stat(digest, { ...context, reliedUpon: true }))) return
  if (mayMount(source, target)) {
    const mounted = target.repository.blobs.mount(digest, source.repository.name, context)
    if (await unless(UNMOUNTABLE, mounted)) return
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
