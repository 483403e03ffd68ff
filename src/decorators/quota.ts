import { checkAmount, checkBlobContent, checkManifestPut, checkOptions } from '../arguments.ts'
import {
  type Backend,
  type Blobs,
  type Decorator,
  decorate,
  type Manifests,
  type OperationContext,
  type StartUploadOptions,
} from '../backend.ts'
import { awaitErrors } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, digestOf } from '../spec/digest.ts'
import { expose } from './expose.ts'
import { Accounts } from './quota/accounts.ts'
import { limitsOf, QuotaExceededError, type QuotaLimits } from './quota/limits.ts'
import { OpenReservations } from './quota/open-reservations.ts'
import { QuotaUpload } from './quota/quota-upload.ts'
import { type Reservation, sizeOf } from './quota/reservation.ts'

export interface QuotaOptions {
  /** All that match a repository have to be met; one that none matches may hold anything. */
  readonly limits: QuotaLimits
  /**
   * How long a count is relied on that other processes may have made too low, in milliseconds. Default: 300,000. Before something is
   * refused, it is counted anew.
   */
  readonly recountMs?: number
  /** @internal Milliseconds of a clock that only goes forward. */
  readonly now?: () => number
}

/**
 * Limits what repositories may hold: their manifests and blobs, each once, whether a tag leads to it or not, and what is being uploaded
 * to them. A push of more is `DENIED`, before the bytes come where their number is known, and else as soon as there is no room for them;
 * what was received of it goes. What is there already can be pushed and pulled, and deleting makes room.
 *
 * A repository is counted when something is first pushed to it, which takes a question to the storage for each blob and manifest.
 * Each process counts what it does itself; others are seen at the next count. Where nobody can count, nothing is stored.
 *
 * @example
 * quota({ limits: [{ prefix: 'team/', maxBytes: 500e9 }, { repository: '**', maxBytes: 50e9 }] })
 *
 * @throws `TypeError` for limits that make no sense
 */
export function quota(options: QuotaOptions): Decorator {
  checkOptions('quota()', options, { limits: true, recountMs: true, now: false })
  const { limits, recountMs = 300_000, now = () => performance.now() } = options ?? {}
  checkAmount('recountMs', recountMs)
  const limited = limitsOf(limits)
  return (inner) => {
    const accounts = new Accounts(inner, { limitsOf: limited, recountMs, now })
    const uploads = new OpenReservations(now)
    const open = async (repository: string, context: OperationContext) => {
      await uploads.endIdle()
      return accounts.open(repository, context)
    }
    return decorate(inner, {
      repository: (repository) =>
        expose(repository, ['blobs', 'manifests', 'tags'], {
          delete: async (context) => {
            await repository.delete(context)
            accounts.lessIsStored(repository.name)
          },
        }),
      blobs: (blobs, { name }) =>
        expose(blobs, ['stat', 'open', 'locate', 'list'], {
          ...limitedUploads({ blobs, name, open, uploads }),
          put: async (content, putOptions = {}) => {
            checkBlobContent(content)
            awaitErrors(content)
            const reservation = await open(name, putOptions)
            if (!reservation.isLimited) return blobs.put(content, putOptions)
            const size = sizeOf(content, putOptions.size)
            const { digest } = putOptions
            return store(reservation, {
              bytes: size ?? 1,
              isThere: async () => digest !== undefined && (await has(blobs, digest)),
              put: (isMetered) =>
                blobs.put(
                  content instanceof Uint8Array || !isMetered ? content : reservation.metered(content, 0),
                  putOptions,
                ),
            })
          },
          mount: async (digest, from, context = {}) => {
            const reservation = await open(name, context)
            const source = reservation.isLimited ? await findSource(inner, digest, from, context) : undefined
            if (source === undefined) return blobs.mount(digest, from, context)
            return store(reservation, {
              bytes: source.size,
              isThere: () => has(blobs, digest),
              put: () => blobs.mount(digest, source.name, context),
            })
          },
          delete: async (digest, context) => {
            await blobs.delete(digest, context)
            accounts.lessIsStored(name)
          },
        }),
      manifests: (manifests, { name }) =>
        expose(manifests, ['stat', 'get', 'list', 'referrers'], {
          put: async (content, putOptions) => {
            checkManifestPut(content, putOptions)
            const { digest } = putOptions
            return store(await open(name, putOptions), {
              bytes: content.byteLength,
              isThere: () => hasManifest(manifests, digestOf(content, digest && algorithmOf(digest))),
              put: () => manifests.put(content, putOptions),
            })
          },
          delete: async (digest, context) => {
            const tags = await manifests.delete(digest, context)
            accounts.lessIsStored(name)
            return tags
          },
        }),
    })
  }
}

interface Limited {
  readonly blobs: Blobs
  /** Of the repository. */
  readonly name: string
  readonly open: (repository: string, context: OperationContext) => Promise<Reservation>
  readonly uploads: OpenReservations
}

function limitedUploads({ blobs, name, open, uploads }: Limited): Pick<Blobs, 'startUpload' | 'resumeUpload'> {
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

interface Storing {
  /** How many are needed at least. */
  readonly bytes: number
  /** Whether it is here already, and takes no room: asked where there is none. */
  readonly isThere: () => Promise<boolean>
  readonly put: (isMetered: boolean) => Promise<Descriptor>
}

async function store(reservation: Reservation, { bytes, isThere, put }: Storing): Promise<Descriptor> {
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

/** Where a blob can be mounted from, and its size. */
async function findSource(
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

async function has(blobs: Blobs, digest: Digest): Promise<boolean> {
  try {
    await blobs.stat(digest, { reliedUpon: true })
    return true
  } catch (error) {
    if (RegistryError.is(error, 'BLOB_UNKNOWN')) return false
    throw error
  }
}

async function hasManifest(manifests: Manifests, digest: Digest): Promise<boolean> {
  try {
    await manifests.stat(digest)
    return true
  } catch (error) {
    if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return false
    throw error
  }
}
