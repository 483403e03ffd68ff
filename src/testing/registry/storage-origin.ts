import { randomUUID } from 'node:crypto'
import { type Backend, type Blobs, decorate } from '../../backend.ts'
import { expose } from '../../decorators/expose.ts'
import { headerOf } from '../../http/headers.ts'
import type { HttpHandler } from '../../http/message.ts'
import { type Digest, isDigest } from '../../spec/digest.ts'
import { type Middleware, pathOf, queryOf, refusal, withUrl } from './middleware.ts'

const OTHERS: readonly (keyof Blobs)[] = [
  'stat',
  'open',
  'startUpload',
  'resumeUpload',
  'mount',
  'delete',
  'put',
  'list',
]

/** Another origin, at which blobs are fetched by URLs that are signed, as from a bucket or a CDN. */
export class StorageOrigin {
  readonly #url: string
  readonly #signatures = new Map<string, Digest>()

  constructor(url: string) {
    this.#url = url
  }

  /** Makes a registry send clients here: 307. */
  redirecting(backend: Backend): Backend {
    return decorate(backend, {
      blobs: (blobs, { name }) =>
        expose(blobs, OTHERS, {
          locate: async (digest, options) => {
            await blobs.stat(digest, options)
            const signature = randomUUID()
            this.#signatures.set(signature, digest)
            return new URL(`/${name}/${digest}?signature=${signature}`, this.#url)
          },
        }),
    })
  }

  /** Serves them out of a registry that asks nobody who they are. */
  handler(open: HttpHandler): HttpHandler {
    const checked: Middleware = async (request, next) => {
      const path = pathOf(request)
      const digest = path.slice(path.lastIndexOf('/') + 1)
      const signed = this.#signatures.get(queryOf(request).get('signature') ?? '')
      // Who sends the registry's credentials along has given them to a stranger; S3 and Azure refuse two ways of logging in.
      if (headerOf(request, 'authorization') !== undefined) {
        return refusal(400, 'InvalidArgument', 'only one way of authentication is allowed: the URL is signed')
      }
      if (!isDigest(digest) || signed !== digest) return refusal(403, 'AccessDenied', 'the URL is not signed')
      return next(withUrl(request, `/v2${path.slice(0, path.lastIndexOf('/'))}/blobs/${digest}`))
    }
    return (request) => checked(request, open)
  }
}
