import { type ErrorCode, RegistryError } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { QuotaExceededError } from './limits.ts'
import type { Reservation } from './reservation.ts'

/** Something that takes room, unless it is there already. */
export interface Needed {
  /** In all, at least. */
  readonly bytes: number
  /** Its size where it is here: asked where there is no room. */
  readonly sizeIfThere: () => Promise<number | undefined>
}

/** Stores something in one go where there is room for it. @throws {@link QuotaExceededError} */
export async function store(
  reservation: Reservation,
  { put, ...needed }: Needed & { readonly put: () => Promise<Descriptor> },
): Promise<Descriptor> {
  try {
    await makeRoom(reservation, needed)
    const descriptor = await put()
    reservation.stored(descriptor.size)
    return descriptor
  } catch (error) {
    if (isRefusal(error)) reservation.close()
    // It may have been stored nevertheless; whether it was, the next count finds out.
    else reservation.stored(reservation.bytes)
    throw error
  }
}

/**
 * What is there already needs no room beyond what it has. While it is being stored it is counted nevertheless, for meanwhile somebody may
 * delete it, and fill the room.
 *
 * @throws {@link QuotaExceededError}
 */
export async function makeRoom(reservation: Reservation, { bytes, sizeIfThere }: Needed): Promise<void> {
  try {
    await reservation.growTo(bytes)
  } catch (error) {
    if (!(error instanceof QuotaExceededError)) throw error
    const size = await sizeIfThere()
    if (size === undefined || size < bytes) throw error
    reservation.admit(size)
  }
}

/** After these, nothing has been stored. */
const REFUSALS: readonly ErrorCode[] = [
  ...(['BLOB_UNKNOWN', 'DIGEST_INVALID', 'SIZE_INVALID', 'NAME_INVALID', 'NAME_UNKNOWN', 'UNSUPPORTED'] as const),
  ...(['MANIFEST_INVALID', 'MANIFEST_BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'TOOMANYREQUESTS', 'UNAUTHORIZED'] as const),
]

function isRefusal(error: unknown): boolean {
  return error instanceof QuotaExceededError || REFUSALS.some((code) => RegistryError.is(error, code))
}
