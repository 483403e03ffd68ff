import { checkAmount, checkBlobContent, checkManifestPut, checkOptions } from '../arguments.ts'
import { type Decorator, decorate, type OperationContext } from '../backend.ts'
import { awaitErrors } from '../bytes.ts'
import { algorithmOf, digestOf } from '../spec/digest.ts'
import { expose } from './expose.ts'
import { Accounts } from './quota/accounts.ts'
import { limitedUploads } from './quota/limited-uploads.ts'
import { limitsOf, type QuotaLimits } from './quota/limits.ts'
import { OpenReservations } from './quota/open-reservations.ts'
import { findSource, RELIED_UPON, sizeOfBlob, sizeOfManifest } from './quota/presence.ts'
import { sizeOf } from './quota/reservation.ts'
import { store } from './quota/store.ts'

export interface QuotaOptions {
  /** All that match a repository have to be met; one that none matches may hold anything. */
  readonly limits: QuotaLimits
  /**
   * How long a count is relied on that other processes may have made too low, in milliseconds. Then it is counted anew while nobody waits;
   * after twice as long, and before something is refused, whoever pushes waits for it. Default: 300,000.
   */
  readonly recountMs?: number
  /** @internal Milliseconds of a clock that only goes forward. */
  readonly now?: () => number
}

/**
 * Limits what repositories may hold: their manifests and blobs, each once, whether a tag leads to it or not, and what is being uploaded
 * to them. A push of more is `DENIED`, before the bytes come where their number is known, and else as soon as there is no room for them;
 * what was received of it goes. What is there already can be pulled, and pushed where its digest is told before its bytes; deleting makes
 * room. An upload that nobody has gone on with for an hour is not counted until somebody does.
 *
 * A repository is counted when something is first pushed to it, which takes a question to the storage for each blob and manifest.
 * Each process counts what it does itself; others are seen at the next count. Where nobody can count, nothing is stored: the backend has
 * to list its blobs and manifests, as a registry over HTTP does not.
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
            await uploads.endIn(repository.name)
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
            const isWhole = content instanceof Uint8Array
            return store(reservation, {
              bytes: sizeOf(content, putOptions.size) ?? 1,
              sizeIfThere: async () => {
                const { digest = isWhole ? digestOf(content, putOptions.algorithm) : undefined } = putOptions
                return digest && sizeOfBlob(blobs, digest, RELIED_UPON)
              },
              put: () => blobs.put(isWhole ? content : reservation.metered(content, 0), putOptions),
            })
          },
          mount: async (digest, from, context = {}) => {
            const reservation = await open(name, context)
            const source = reservation.isLimited ? await findSource(inner, digest, from, context) : undefined
            if (source === undefined) return blobs.mount(digest, from, context)
            return store(reservation, {
              bytes: source.size,
              sizeIfThere: () => sizeOfBlob(blobs, digest, RELIED_UPON),
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
              sizeIfThere: () => sizeOfManifest(manifests, digestOf(content, digest && algorithmOf(digest))),
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
