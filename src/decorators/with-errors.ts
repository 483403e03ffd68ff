/**
 * `inner` with every error that its methods throw, reject with, or end a listing with put into other terms; those of uploads
 * it starts as well. Methods come bound, those of later contracts too.
 */
export function withErrors<T extends object>(inner: T, translate: (error: unknown) => unknown): T {
  const fail = (error: unknown): never => {
    throw translate(error)
  }
  return new Proxy(inner, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        let result: unknown
        try {
          result = Reflect.apply(value, target, args)
        } catch (error) {
          return fail(error)
        }
        // A refusal is both, and names nothing.
        if (result instanceof Promise && isListing(result)) return result
        if (result instanceof Promise) {
          const isUpload = key === 'startUpload' || key === 'resumeUpload'
          return result.then((it: unknown) => (isUpload ? withErrors(it as object, translate) : it), fail)
        }
        return isListing(result) ? listWithErrors(result, translate) : result
      }
    },
  })
}

async function* listWithErrors(
  items: AsyncIterable<unknown>,
  translate: (error: unknown) => unknown,
): AsyncGenerator<unknown> {
  try {
    yield* items
  } catch (error) {
    throw translate(error)
  }
}

function isListing(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
