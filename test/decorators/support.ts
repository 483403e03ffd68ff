import { expect } from 'vitest'
import type { Backend, Decorator } from '../../src/backend.ts'
import { memory } from '../../src/drivers/memory.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'

/** One storage, seen as it is and through a decorator. */
export function decorated(decorator: Decorator): { readonly plain: Registry; readonly backend: Backend } {
  const plain = new Registry({ storage: memory(), logger: silentLogger })
  return { plain, backend: decorator(plain) }
}

/** Awaited or iterated over, it fails with `code`. */
export async function expectRefusal(result: unknown, code: ErrorCode, status?: number): Promise<void> {
  const attempt = async () => {
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result) {
      for await (const _ of result as AsyncIterable<unknown>) break
    } else await result
  }
  await expect(attempt()).rejects.toMatchObject({ code, ...(status !== undefined && { status }) })
}
