import type { Descriptor } from '../../spec/descriptor.ts'
import { QuotaExceededError } from './limits.ts'
import type { Reservation } from './reservation.ts'

export interface Storing {
  /** How many are needed at least. */
  readonly bytes: number
  /** Whether it is here already, and takes no room: asked where there is none. */
  readonly isThere: () => Promise<boolean>
  readonly put: (isMetered: boolean) => Promise<Descriptor>
}

/** Stores something in one go where there is room for it. @throws {@link QuotaExceededError} */
export async function store(reservation: Reservation, { bytes, isThere, put }: Storing): Promise<Descriptor> {
  try {
    await reservation.growTo(bytes)
  } catch (error) {
    if (!(error instanceof QuotaExceededError) || !(await isThere())) throw error
    return put(false)
  }
  try {
    const descriptor = await put(true)
    reservation.stored(descriptor.size)
    return descriptor
  } catch (error) {
    reservation.release()
    throw error
  }
}
