import { randomUUID } from 'node:crypto'
import { OWN_ROOT, PreconditionFailedError } from '../../storage/driver.ts'
import type { ObjectStore } from '../object-store/object-store.ts'
import { isCode, readError } from './errors.ts'

/** How many writes race for one key: a store that looks and then writes lets more than one of them win. */
const RACERS = 8

/**
 * Tries out, on a key of its own, whether a store that speaks S3 keeps its word about `If-None-Match` and `If-Match`: some
 * refuse them, some pass over them, some keep them only while nobody else writes.
 *
 * @throws when the store cannot be asked
 */
export async function probeConditions(store: Pick<ObjectStore, 'put' | 'stat' | 'delete'>): Promise<boolean> {
  const key = `${OWN_ROOT}/tmp/probe-${randomUUID()}`
  const put = async (text: string, ifVersion: string | null) => {
    try {
      await store.put(key, Buffer.from(text), { ifVersion })
      return true
    } catch (error) {
      if (error instanceof PreconditionFailedError) return false
      throw error
    }
  }
  const race = async (ifVersion: string | null) => {
    const won = await Promise.all(Array.from({ length: RACERS }, (_, index) => put(`${ifVersion}-${index}`, ifVersion)))
    return won.filter(Boolean).length === 1
  }
  try {
    if (!(await race(null))) return false
    const version = (await store.stat(key))?.version
    return version !== undefined && (await race(version)) && !(await put('late', version))
  } catch (error) {
    // Refused outright: as good an answer as any.
    if (readError(error)?.status === 501 || isCode(error, 'NotImplemented', 'InvalidArgument')) return false
    throw error
  } finally {
    await store.delete(key).catch(() => {}) // a few bytes where nobody looks
  }
}
