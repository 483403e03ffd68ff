import type { Blobs, OperationContext, StartUploadOptions, Upload } from '../../backend.ts'
import type { OpenReservations } from './open-reservations.ts'
import { RELIED_UPON, sizeOfBlob } from './presence.ts'
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
  const limited = (inner: Upload, context: OperationContext) => {
    const key = { id: inner.id, repository: name }
    const reopened = async () => {
      const reservation = await open(name, context)
      reservation.hold(inner.offset)
      return reservation
    }
    return new QuotaUpload({
      inner,
      during: (step) => uploads.during(key, reopened, step),
      sizeOf: (digest) => sizeOfBlob(blobs, digest, RELIED_UPON),
      end: () => uploads.end(inner.id),
    })
  }
  return {
    startUpload: async (options: StartUploadOptions = {}) => {
      const reservation = await open(name, options)
      try {
        await reservation.announce(options.size)
        const inner = await blobs.startUpload(options)
        uploads.begin({ id: inner.id, repository: name }, Promise.resolve(reservation))
        return limited(inner, options)
      } catch (error) {
        reservation.close()
        throw error
      }
    },
    resumeUpload: async (id, context = {}) => limited(await blobs.resumeUpload(id, context), context),
  }
}
