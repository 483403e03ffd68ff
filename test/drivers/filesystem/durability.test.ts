import { describe, expect, it } from 'vitest'
import { TEMPORARY } from '../../../src/drivers/filesystem/layout.ts'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import { recordedOps } from '../../support/intercepted-ops.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'

const directory = temporaryDirectories()

const CHANGES = /^(write|fsync|rename|link|unlink|rmdir|mkdir|copyFile) /

/** Runs `task` on a driver and gives the calls that change something, without the root and with random names as `*`. */
async function changesOf(
  prepare: (driver: ReturnType<typeof filesystem>) => Promise<unknown>,
  task: (driver: ReturnType<typeof filesystem>) => Promise<unknown>,
  durability: 'full' | 'none' = 'full',
): Promise<string[]> {
  const root = await directory()
  const calls: string[] = []
  const driver = filesystem(root, { durability, fs: recordedOps(calls) })
  await prepare(driver)
  calls.length = 0
  await task(driver)
  return calls
    .filter((call) => CHANGES.test(call))
    .map((call) =>
      call
        .replaceAll(`${root}/`, '')
        .replaceAll(root, '.')
        .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '*'),
    )
}

const content = Buffer.from('content')
const nothing = async () => {}

/** Makes a folder that the driver remembers as durable: the first write to a new one is often the only one. */
async function knownTo(driver: ReturnType<typeof filesystem>, folder: string): Promise<void> {
  await driver.put(`${folder}/one`, content)
  await driver.put(`${folder}/two`, content)
}

/** Which syncs run at once is of no account; that they come last is. */
function sortedFrom(calls: readonly string[], index: number): string[] {
  return [...calls.slice(0, index), ...calls.slice(index).sort()]
}

describe('the order of calls', () => {
  it('of a put is: write, sync the file, rename, sync its directory', async () => {
    const calls = await changesOf(
      (driver) => knownTo(driver, 'd'),
      (driver) => driver.put('d/key', content),
    )
    expect(calls).toEqual([`write ${TEMPORARY}/*`, `fsync ${TEMPORARY}/*`, `rename ${TEMPORARY}/* -> d/key`, 'fsync d'])
  })

  it('of a put in new directories syncs those above as well', async () => {
    const calls = await changesOf(
      (driver) => knownTo(driver, 'd'),
      (driver) => driver.put('d/e/f/key', content),
    )
    const rename = calls.indexOf(`rename ${TEMPORARY}/* -> d/e/f/key`)
    expect(calls.indexOf(`fsync ${TEMPORARY}/*`)).toBeLessThan(rename)
    expect(calls.slice(rename + 1).sort()).toEqual(['fsync d', 'fsync d/e', 'fsync d/e/f'])
  })

  it('of a put in a directory that somebody else made syncs all the way to the root, once', async () => {
    const root = await directory()
    await filesystem(root).put('d/e/f/other', content)
    const calls: string[] = []
    const driver = filesystem(root, { fs: recordedOps(calls) })
    await driver.put('d/e/f/key', content)
    const synced = calls.filter((call) => call.startsWith('fsync ') && !call.includes(TEMPORARY))
    expect(synced.sort()).toEqual(['', '/d', '/d/e', '/d/e/f'].map((path) => `fsync ${root}${path}`))
    calls.length = 0
    await driver.put('d/e/f/key2', content)
    expect(calls.filter((call) => call.startsWith('fsync ')).map((call) => call.replace(/[0-9a-f-]{36}/, '*'))).toEqual(
      [`fsync ${root}/${TEMPORARY}/*`, `fsync ${root}/d/e/f`],
    )
  })

  it('of a put that need not be durable has no sync', async () => {
    const calls = await changesOf(
      (driver) => knownTo(driver, 'd'),
      (driver) => driver.put('d/key', content, { durable: false }),
    )
    expect(calls).toEqual([`write ${TEMPORARY}/*`, `rename ${TEMPORARY}/* -> d/key`])
  })

  it('of a delete is: unlink, prune, sync what is left', async () => {
    const calls = await changesOf(
      async (driver) => {
        await knownTo(driver, 'd')
        await driver.put('d/e/f/key', content)
      },
      (driver) => driver.delete('d/e/f/key'),
    )
    expect(calls).toEqual(['unlink d/e/f/key', 'rmdir d/e/f', 'rmdir d/e', 'fsync d'])
  })

  it('of a deletePrefix takes the folder out of sight before it empties it', async () => {
    const calls = await changesOf(
      async (driver) => {
        await knownTo(driver, 'd')
        await driver.put('d/e/key', content)
      },
      (driver) => driver.deletePrefix('d/e'),
    )
    expect([...calls.slice(0, 1), ...calls.slice(1, 3).sort(), ...calls.slice(3)]).toEqual([
      `rename d/e/ -> ${TEMPORARY}/*`,
      'fsync d',
      `fsync ${TEMPORARY}`,
      `unlink ${TEMPORARY}/*/key`,
      `rmdir ${TEMPORARY}/*`,
    ])
  })

  it('of an upload in one go syncs the file once, before the rename, and directories after it', async () => {
    const calls = await changesOf(
      async (driver) => {
        await knownTo(driver, 'u/1')
        await knownTo(driver, 'b')
      },
      async (driver) => {
        const upload = await driver.createUpload('u/1/data')
        await upload.append(content, { durable: false })
        await upload.commit('b/ab/data')
      },
    )
    expect(sortedFrom(calls, 5)).toEqual([
      'write u/1/data',
      'fsync u/1/data',
      'rename u/1/data -> u/1/data.sealed-*',
      'mkdir b/ab',
      'link u/1/data.sealed-* -> b/ab/data',
      'fsync b',
      'fsync b/ab',
    ])
  })

  it('of a durable append syncs the file and, the first time, its directory', async () => {
    let upload: Awaited<ReturnType<ReturnType<typeof filesystem>['createUpload']>> | undefined
    const calls = await changesOf(
      async (driver) => {
        await knownTo(driver, 'u/1')
        upload = await driver.createUpload('u/1/data')
      },
      async () => {
        await upload?.append(content)
        await upload?.append(content)
      },
    )
    expect(sortedFrom(calls.slice(0, 3), 1)).toEqual(['write u/1/data', 'fsync u/1', 'fsync u/1/data'])
    expect(calls.slice(3)).toEqual(['write u/1/data', 'fsync u/1/data'])
  })

  it('has no sync at all without durability', async () => {
    const calls = await changesOf(
      nothing,
      async (driver) => {
        await driver.put('d/e/key', content)
        await driver.put('d/e/key', content, { ifVersion: (await driver.stat('d/e/key'))?.version ?? null })
        const upload = await driver.createUpload('u/1/data')
        await upload.append(content)
        await upload.commit('b/ab/data')
        await driver.deletePrefix('u/1')
        await driver.delete('d/e/key')
      },
      'none',
    )
    expect(calls.filter((call) => call.startsWith('fsync'))).toEqual([])
    expect(calls.length).toBeGreaterThan(10)
  })

  it('of eight puts at once into one directory shares its syncs', async () => {
    const calls = await changesOf(
      (driver) => knownTo(driver, 'd'),
      (driver) => Promise.all(Array.from({ length: 8 }, (_, index) => driver.put(`d/${index}`, content))),
    )
    expect(calls.filter((call) => call.startsWith(`fsync ${TEMPORARY}`))).toHaveLength(8)
    expect(calls.filter((call) => call === 'fsync d').length).toBeLessThan(8)
  })
})
