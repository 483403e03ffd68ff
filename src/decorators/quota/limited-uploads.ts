import type { Blobs, OperationContext, StartUploadOptions } from '../../backend.ts'
import type { OpenReservations } from './open-reservations.ts'
import { has } from './presence.ts'
import { QuotaUpload } from './quota-upload.ts'
import type { Reservation } from './reservation.ts'

export interface Limited {
  readonly blobs: Blobs
  /** Of the repository. */
  readonly name: string
  readonly open: (repository: string, context: OperationContext) => Promise<Reservation>
  readonly uploads: OpenReservations
}

/** Uploads that take room from their first byte on, whichever requests they go through. */
export function limitedUploads({ blobs, name, open, uploads }: Limited): Pick<Blobs, 'startUpload' | 'resumeUpload'> {
  return {
    startUpload: async (options: StartUploadOptions = {}) => {
      const reservation = await open(name, options)
      // Where nothing is left, it need not begin.
      await reservation.growTo(options.size ?? 1)
      try {
        const inner = await blobs.startUpload(options)
        const { id } = inner
        const kept = () => uploads.of(id, async () => reservation)
        await kept()
        return new QuotaUpload({
          ...{ inner, reservation: kept, has: (digest) => has(blobs, digest), end: () => uploads.end(id) },
        })
      } catch (error) {
        reservation.release()
        throw error
      }
    },
    resumeUpload: async (id, context = {}) => {
      const inner = await blobs.resumeUpload(id, context)
      const reservation = () =>
        uploads.of(id, async () => {
          const opened = await open(name, context)
          opened.hold(inner.offset)
          return opened
        })
      return new QuotaUpload({
        ...{ inner, reservation, has: (digest) => has(blobs, digest), end: () => uploads.end(id) },
      })
    },
  }
}
