import { expect } from 'vitest'
import { RegistryError } from '../../src/errors.ts'

/** What `run` throws, which must be one of ours. */
export function refusal(run: () => unknown): RegistryError {
  try {
    run()
  } catch (error) {
    expect(RegistryError.is(error), String(error)).toBe(true)
    return error as RegistryError
  }
  throw new Error('was accepted')
}

/** Keys as storage drivers have to take them. */
export function isKeySafe(key: string): boolean {
  return key.split('/').every((part) => /^[A-Za-z0-9._+=-]+$/.test(part) && part !== '.' && part !== '..')
}
