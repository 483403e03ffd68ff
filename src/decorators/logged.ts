import { kindOf } from '../arguments.ts'
import type { Backend, Decorator, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { LogFields, Logger } from '../logger.ts'

/**
 * One line per operation, when it is over: what, where, for whom, how long, how it ended. What succeeds and what the caller got
 * wrong is `info`, what failed for us is `error`. A listing ends with its last item, a blob that is read when it is open.
 */
export function logged(logger: Logger): Decorator {
  if (typeof logger?.info !== 'function' || typeof logger.error !== 'function') {
    throw new TypeError(`logged() needs a logger, with info() and error(), not ${kindOf(logger)}`)
  }
  return (inner) => {
    const backend: Backend = {
      repository: (name) => {
        const repository = inner.repository(name)
        const report = reporter(logger, { repository: repository.name })
        const observed: Repository = {
          name: repository.name,
          delete: (context) => report('repository.delete', [context], () => repository.delete(context)),
          blobs: observe(repository.blobs, 'blobs', report),
          manifests: observe(repository.manifests, 'manifests', report),
          tags: observe(repository.tags, 'tags', report),
        }
        return observed
      },
      repositories: (options) => reporter(logger, {})('repositories', [options], () => inner.repositories(options)),
    }
    return backend
  }
}

/** Runs an operation and tells how it went. */
type Report = <T>(operation: string, args: readonly unknown[], run: () => T) => T

/** Every method, those of later contracts as well, under its own name. */
function observe<T extends object>(inner: T, store: string, report: Report): T {
  return new Proxy(inner, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function' || typeof key === 'symbol') {
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      }
      return (...args: unknown[]): unknown =>
        report(`${store}.${key}`, args, () => {
          const result: unknown = value.apply(target, args)
          const isUpload = key === 'startUpload' || key === 'resumeUpload'
          return isUpload && result instanceof Promise
            ? result.then((upload) => observe(upload, 'upload', report))
            : result
        })
    },
  })
}

function reporter(logger: Logger, common: LogFields): Report {
  return (operation, args, run) => {
    const startedAt = performance.now()
    const end = (error?: unknown, extra: LogFields = {}) => {
      const durationMs = Math.round((performance.now() - startedAt) * 1000) / 1000
      const fields = { operation, ...common, ...describe(args), durationMs, ...extra }
      const failure = error === undefined ? undefined : RegistryError.is(error) ? error : null
      if (error === undefined) logger.info({ ...fields, outcome: 'ok' }, operation)
      else if (failure && failure.status < 500) logger.info({ ...fields, outcome: failure.code }, operation)
      else logger.error({ ...fields, outcome: failure?.code ?? 'UNKNOWN', err: error }, operation)
    }
    let result: ReturnType<typeof run>
    try {
      result = run()
    } catch (error) {
      end(error)
      throw error
    }
    if (result instanceof Promise) {
      // On its own branch: a logger that throws fails neither the operation nor the process.
      result.then(() => end(), end).catch(() => {})
      return result
    }
    // A listing: the type parameter says nothing of it, and what wraps it has to be of the same type.
    return (isIterable(result) ? observeListing(result, end) : result) as typeof result
  }
}

async function* observeListing(
  items: AsyncIterable<unknown>,
  end: (error: unknown, extra: LogFields) => void,
): AsyncGenerator<unknown> {
  let count = 0
  let failure: unknown
  try {
    for await (const item of items) {
      count++
      yield item
    }
  } catch (error) {
    failure = error
    throw error
  } finally {
    end(failure, { count })
  }
}

/** What an operation is about: the digest or tag it names first, and what travels in its context. Never content. */
function describe(args: readonly unknown[]): LogFields {
  const [target] = args
  const options = args.findLast((arg) => typeof arg === 'object' && arg !== null && !(arg instanceof Uint8Array))
  return {
    ...(typeof target === 'string' && { target: target.slice(0, 160) }),
    ...pick(options, ['actor', 'requestId', 'tags', 'mediaType']),
  }
}

function pick(value: unknown, names: readonly string[]): LogFields {
  if (typeof value !== 'object' || value === null) return {}
  const entries = names.map((name) => [name, Reflect.get(value, name) as unknown] as const)
  return Object.fromEntries(entries.filter(([, field]) => field !== undefined))
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
