import { RegistryError } from '../errors.ts'

/**
 * A view of `inner` with its `allowed` members and those of `own`, which come first. Any other method, one added to the
 * contract later as well, is refused with `UNSUPPORTED`, whether its caller awaits it or iterates over it; any other object
 * refuses to be looked at. What is neither (a name, a number) shows.
 */
export function expose<T extends object>(inner: T, allowed: readonly (keyof T)[], own: Partial<T> = {}): T {
  return new Proxy(inner, {
    get(target, key) {
      if (Object.hasOwn(own, key)) return Reflect.get(own, key) as unknown
      const value: unknown = Reflect.get(target, key, target)
      const isAllowed = (allowed as readonly PropertyKey[]).includes(key)
      if (typeof value === 'function') return isAllowed ? (value.bind(target) as unknown) : () => refusal(key)
      if (typeof value === 'object' && value !== null && !isAllowed) throw refused(key)
      return value
    },
  })
}

function refused(key: PropertyKey): RegistryError {
  return new RegistryError('UNSUPPORTED', { message: `${String(key)} is not allowed here` })
}

/** Fails when awaited and when iterated, and never as an unhandled rejection. */
function refusal(key: PropertyKey): Promise<never> & AsyncIterable<never> {
  const promise = Promise.reject<never>(refused(key))
  promise.catch(() => {})
  return Object.assign(promise, { [Symbol.asyncIterator]: () => ({ next: () => promise }) })
}
