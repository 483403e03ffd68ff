import { describe, expect, it } from 'vitest'
import type { FileOps } from '../../../src/drivers/filesystem/file-ops.ts'
import { CLAIMS, TEMPORARY } from '../../../src/drivers/filesystem/layout.ts'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import {
  KeyNotFoundError,
  type StorageDriver,
  StorageUnavailableError,
  UploadTakenOverError,
} from '../../../src/storage/driver.ts'
import { systemError } from '../../support/inodes.ts'
import { type FileCall, interceptedOps } from '../../support/intercepted-ops.ts'
import { diskWith, type SimulatedDisk } from '../../support/simulated-disk.ts'

const KEY = 'docker/registry/v2/repositories/a/_manifests/tags/v1/current/link'
const UPLOAD = 'docker/registry/v2/repositories/a/_uploads/1/data'
const BLOB = 'docker/registry/v2/blobs/sha256/ab/abcd/data'

/** `before`: nothing happened. `after`: it did happen, but the answer says that it failed. */
type When = 'before' | 'after'

const FAULTS: readonly [code: string, when: When][] = [
  ['EIO', 'before'],
  ['EIO', 'after'],
  ['ENOSPC', 'before'],
  ['EACCES', 'before'],
]

interface Scenario {
  /** What is there before, made without faults. */
  readonly prepare?: (driver: StorageDriver) => Promise<void>
  readonly act: (driver: StorageDriver) => Promise<void>
  readonly key: string
  /** What may be at the key after a failure; `undefined`: nothing. */
  readonly allowed: readonly (string | undefined)[]
  readonly done: string | undefined
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a put of a new key': {
    act: (driver) => driver.put(KEY, Buffer.from('new')),
    key: KEY,
    allowed: [undefined, 'new'],
    done: 'new',
  },
  'a put over another': {
    prepare: (driver) => driver.put(KEY, Buffer.from('old')),
    act: (driver) => driver.put(KEY, Buffer.from('new')),
    key: KEY,
    allowed: ['old', 'new'],
    done: 'new',
  },
  'a put where nothing may be': {
    act: (driver) => driver.put(KEY, Buffer.from('new'), { ifVersion: null }),
    key: KEY,
    allowed: [undefined, 'new'],
    done: 'new',
  },
  'a put over a version': {
    prepare: (driver) => driver.put(KEY, Buffer.from('old')),
    act: async (driver) =>
      driver.put(KEY, Buffer.from('new'), { ifVersion: (await driver.stat(KEY))?.version ?? null }),
    key: KEY,
    allowed: ['old', 'new'],
    done: 'new',
  },
  'a delete': {
    prepare: (driver) => driver.put(KEY, Buffer.from('old')),
    act: (driver) => driver.delete(KEY),
    key: KEY,
    allowed: ['old', undefined],
    done: undefined,
  },
  'a deletePrefix': {
    prepare: (driver) => driver.put(KEY, Buffer.from('old')),
    act: (driver) => driver.deletePrefix('docker/registry/v2/repositories/a'),
    key: KEY,
    allowed: ['old', undefined],
    done: undefined,
  },
  'an upload': {
    act: async (driver) => {
      const upload = await driver.createUpload(UPLOAD)
      await upload.append(Buffer.from('one '))
      await upload.append(Buffer.from('two'), { durable: false })
      await upload.commit(BLOB)
    },
    key: BLOB,
    allowed: [undefined, 'one two'],
    done: 'one two',
  },
  'an upload that somebody else began': {
    prepare: async (driver) => (await driver.createUpload(UPLOAD)).append(Buffer.from('one ')),
    act: async (driver) => {
      const upload = await driver.resumeUpload(UPLOAD)
      await upload.append(Buffer.from('two').subarray(Math.max(0, upload.size - 4)))
      await upload.commit(BLOB)
    },
    key: BLOB,
    allowed: [undefined, 'one two'],
    done: 'one two',
  },
}

/** Fails one call, the `fail.at`th of those that change something. */
function faultyOps(disk: SimulatedDisk, fail: { at: number; code: string; when: When }, seen: FileCall[]): FileOps {
  return interceptedOps(async (call, proceed) => {
    if (['read', 'fstat', 'lstat', 'readdir', 'realpath', 'futimes'].includes(call.name)) return proceed()
    seen.push(call)
    if (seen.length !== fail.at) return proceed()
    // A file that fails to close is closed, and a failed open opens nothing.
    if (call.name === 'close' || (fail.when === 'after' && call.name !== 'open')) await proceed()
    throw systemError(fail.code, call.name, call.path)
  }, disk)
}

async function contentAt(driver: StorageDriver, key: string): Promise<string | undefined> {
  try {
    return Buffer.from((await driver.get(key)).content).toString()
  } catch (error) {
    if (error instanceof KeyNotFoundError) return undefined
    throw error
  }
}

async function run(scenario: Scenario, fail: { at: number; code: string; when: When }) {
  const disk = diskWith('/disk')
  await scenario.prepare?.(filesystem('/disk', { fs: disk }))
  const seen: FileCall[] = []
  const driver = filesystem('/disk', { fs: faultyOps(disk, fail, seen) })
  let error: unknown
  try {
    await scenario.act(driver)
  } catch (thrown) {
    error = thrown
  }
  await new Promise((resolve) => setImmediate(resolve))
  return { disk, driver, error, seen, failed: seen[fail.at - 1] }
}

function leftIn(disk: SimulatedDisk, folder: string): string[] {
  return disk.files.filter((path) => path.startsWith(`/disk/${folder}/`))
}

describe('every call that can fail', () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(`leaves nothing behind and nothing partial, and works the next time: ${name}`, async () => {
      const calls = (await run(scenario, { at: 0, code: '', when: 'before' })).seen.length
      expect(calls).toBeGreaterThan(2)
      for (const [code, when] of FAULTS) {
        for (let at = 1; at <= calls; at++) {
          const { disk, driver, error, failed } = await run(scenario, { at, code, when })
          const label = `${code} ${when} ${failed?.name} ${failed?.path} ${failed?.to ?? ''}`
          const found = await contentAt(filesystem('/disk', { fs: disk }), scenario.key)
          await new Promise((resolve) => setImmediate(resolve))
          if (error === undefined) {
            expect(found, label).toBe(scenario.done)
          } else {
            expect(error, label).toBeInstanceOf(StorageUnavailableError)
            expect(error, label).toMatchObject({ message: expect.stringContaining('/disk'), cause: { code } })
            expect(scenario.allowed, label).toContain(found)
          }
          expect(disk.openPaths, label).toEqual([])
          // What could not be removed stays, for the next process to remove.
          const isRemoval = failed?.name === 'unlink' || failed?.name === 'rmdir'
          if (!isRemoval) expect([...leftIn(disk, TEMPORARY), ...leftIn(disk, CLAIMS)], label).toEqual([])
          if (found !== scenario.done || error !== undefined) {
            await again(scenario, driver, found)
            expect(await contentAt(driver, scenario.key), label).toBe(scenario.done)
          }
        }
      }
    })
  }
})

/** A client that was told of a failure tries again: from the start, where nothing of the upload is left. */
async function again(scenario: Scenario, driver: StorageDriver, found: string | undefined): Promise<void> {
  if (scenario === SCENARIOS['a put where nothing may be'] && found !== undefined) return
  if (scenario.key !== BLOB) return scenario.act(driver)
  try {
    const upload = await driver.resumeUpload(UPLOAD)
    if (upload.size < 7) await upload.append(Buffer.from('one two').subarray(upload.size))
    await upload.commit(BLOB)
  } catch (error) {
    if (!(error instanceof KeyNotFoundError || error instanceof UploadTakenOverError)) throw error
    await driver.deletePrefix(UPLOAD.slice(0, UPLOAD.lastIndexOf('/')))
    const upload = await driver.createUpload(UPLOAD)
    await upload.append(Buffer.from('one two'))
    await upload.commit(BLOB)
  }
}

describe('a failed sync', () => {
  it('is not tried again: the upload is gone, because the system forgot what it could not write', async () => {
    const disk = diskWith('/disk')
    let isBroken = false
    const ops = interceptedOps(async ({ name, path }, proceed) => {
      if (isBroken && name === 'fsync' && path.endsWith('/data')) throw systemError('EIO', name, path)
      return proceed()
    }, disk)
    const driver = filesystem('/disk', { fs: ops })
    const upload = await driver.createUpload(UPLOAD)
    await upload.append(Buffer.from('one '))
    isBroken = true
    await expect(upload.append(Buffer.from('two'))).rejects.toThrow(StorageUnavailableError)
    isBroken = false
    await expect(upload.append(Buffer.from('two'))).rejects.toThrow(KeyNotFoundError)
    await expect(upload.commit(BLOB)).rejects.toThrow(KeyNotFoundError)
    expect(disk.files).toEqual([])
  })
})

describe('a full disk', () => {
  it('keeps what fitted of an append, counts it, and goes on when there is space again', async () => {
    const disk = diskWith('/disk')
    let space = 1_500_000
    const ops: FileOps = interceptedOps((_call, proceed) => proceed(), disk)
    const limited: FileOps = {
      ...ops,
      write: async (fd, buffer, offset, length, position) => {
        const fits = Math.min(length, space)
        if (fits === 0) throw systemError('ENOSPC', 'write', '')
        space -= fits
        return ops.write(fd, buffer, offset, fits, position)
      },
    }
    const driver = filesystem('/disk', { fs: limited })
    const content = Buffer.alloc(4_000_000, 'abcdefg')
    const upload = await driver.createUpload(UPLOAD)
    const observed: Uint8Array[] = []
    const observe = (bytes: Uint8Array) => observed.push(new Uint8Array(bytes))
    await expect(upload.append(content, { observe })).rejects.toThrow(/the disk is full: free some space/)
    expect(upload.size).toBe(1_500_000)
    expect(Buffer.concat(observed).equals(content.subarray(0, 1_500_000))).toBe(true)
    space = Number.POSITIVE_INFINITY
    await upload.append(content.subarray(upload.size), { observe })
    await upload.commit(BLOB)
    expect(Buffer.concat(observed).equals(content)).toBe(true)
    expect(Buffer.from((await driver.get(BLOB)).content).equals(content)).toBe(true)
  })

  it('can be emptied', async () => {
    const disk = diskWith('/disk')
    await filesystem('/disk', { fs: disk }).put('a/b/c', Buffer.from('x'))
    await filesystem('/disk', { fs: disk }).put('a/d', Buffer.from('x'))
    const full = interceptedOps(async ({ name, path }, proceed) => {
      if (['mkdir', 'rename', 'write', 'link'].includes(name)) throw systemError('ENOSPC', name, path)
      return proceed()
    }, disk)
    const driver = filesystem('/disk', { fs: full })
    await driver.delete('a/d')
    await driver.deletePrefix('a')
    expect(disk.files).toEqual([])
    await expect(driver.put('a', Buffer.from('x'))).rejects.toThrow(StorageUnavailableError)
    await expect(driver.ping()).rejects.toThrow(StorageUnavailableError)
  })
})

describe('errors while reading', () => {
  it('are absence only when the name leads nowhere', async () => {
    for (const code of ['EIO', 'EACCES', 'EMFILE', 'ESTALE', 'ETIMEDOUT']) {
      const disk = diskWith('/disk')
      await filesystem('/disk', { fs: disk }).put('a/b', Buffer.from('x'))
      const broken = interceptedOps(async ({ name, path }, proceed) => {
        if (path.endsWith('/a/b') || name === 'readdir') throw systemError(code, name, path)
        return proceed()
      }, disk)
      const driver = filesystem('/disk', { fs: broken })
      await expect(driver.get('a/b')).rejects.toThrow(StorageUnavailableError)
      await expect(driver.read('a/b')).rejects.toThrow(StorageUnavailableError)
      await expect(driver.stat('a/b')).rejects.toThrow(StorageUnavailableError)
      await expect(driver.resumeUpload('a/b')).rejects.toThrow(StorageUnavailableError)
      await expect(driver.list('a')[Symbol.asyncIterator]().next()).rejects.toThrow(StorageUnavailableError)
    }
  })

  it('of other kinds pass as they are', async () => {
    const broken = interceptedOps(async ({ name, path }, proceed) => {
      if (name === 'open') throw systemError('ELOOP', name, path)
      return proceed()
    }, diskWith('/disk'))
    await expect(filesystem('/disk', { fs: broken }).get('a/b')).rejects.toMatchObject({ code: 'ELOOP' })
  })
})
