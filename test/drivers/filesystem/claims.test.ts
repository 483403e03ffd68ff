import { describe, expect, it } from 'vitest'
import { Claims, versionOf } from '../../../src/drivers/filesystem/claims.ts'
import { Directories } from '../../../src/drivers/filesystem/directories.ts'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import { PreconditionFailedError, StorageUnavailableError } from '../../../src/storage/driver.ts'
import { seededRandom } from '../../../src/testing/seeded.ts'
import { interceptedOps } from '../../support/intercepted-ops.ts'
import { diskWith, type SimulatedDisk } from '../../support/simulated-disk.ts'

const NEVER_KEEP = { keep: () => false, isDurable: false }

async function write(disk: SimulatedDisk, path: string, content: string): Promise<string> {
  const fd = await disk.open(path, 0o101)
  await disk.write(fd, Buffer.from(content), 0, content.length, 0)
  await disk.close(fd)
  return versionOf(await disk.lstat(path))
}

async function read(disk: SimulatedDisk, path: string): Promise<string> {
  const fd = await disk.open(path, 0)
  const buffer = Buffer.alloc(100)
  const count = await disk.read(fd, buffer, 0, 100, 0)
  await disk.close(fd)
  return buffer.subarray(0, count).toString()
}

/** Claims of a process that can be stopped in its tracks at its `rename`. */
function claimsOn(disk: SimulatedDisk, onRename: () => Promise<void> = async () => {}, monotonicMs = () => 0): Claims {
  const ops = interceptedOps(async ({ name }, proceed) => {
    if (name === 'rename') await onRename()
    return proceed()
  }, disk)
  return new Claims(ops, '/d/claims', new Directories(ops, '/d', NEVER_KEEP), monotonicMs)
}

const never = () => new Promise<void>(() => {})

describe('Claims', () => {
  it('fails whoever comes while another one is at it', async () => {
    const disk = diskWith('/d')
    const version = await write(disk, '/d/key', 'old')
    await write(disk, '/d/temp1', 'new1')
    await write(disk, '/d/temp2', 'new2')
    void claimsOn(disk, never).replace('key', '/d/key', '/d/temp1', version)
    await new Promise((resolve) => setImmediate(resolve))
    await expect(claimsOn(disk).replace('key', '/d/key', '/d/temp2', version)).rejects.toThrow(PreconditionFailedError)
    expect(await read(disk, '/d/key')).toBe('old')
  })

  it('lets a minute pass, and then takes over from a process that died', async () => {
    const disk = diskWith('/d')
    const version = await write(disk, '/d/key', 'old')
    await write(disk, '/d/temp1', 'dead')
    void claimsOn(disk, never).replace('key', '/d/key', '/d/temp1', version)
    await new Promise((resolve) => setImmediate(resolve))
    disk.advance(61_000)
    await write(disk, '/d/temp2', 'two')
    await write(disk, '/d/temp3', 'three')
    const results = await Promise.allSettled([
      claimsOn(disk).replace('key', '/d/key', '/d/temp2', version),
      claimsOn(disk).replace('key', '/d/key', '/d/temp3', version),
    ])
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(['two', 'three']).toContain(await read(disk, '/d/key'))
    expect(disk.files.filter((path) => path.includes('claims'))).toEqual([])
  })

  it('gives up when it took so long that another one may have taken over', async () => {
    const disk = diskWith('/d')
    const version = await write(disk, '/d/key', 'old')
    await write(disk, '/d/temp', 'late')
    let now = 0
    const slow = claimsOn(disk, undefined, () => {
      now += 10_001
      return now
    })
    await expect(slow.replace('key', '/d/key', '/d/temp', version)).rejects.toThrow(StorageUnavailableError)
    expect(await read(disk, '/d/key')).toBe('old')
    // It is not its to remove any more.
    expect(disk.files.filter((path) => path.includes('claims'))).toHaveLength(1)
  })

  it('does without hard links where nothing may be', async () => {
    const disk = diskWith('/d')
    await write(disk, '/d/temp1', 'one')
    await write(disk, '/d/temp2', 'two')
    await claimsOn(disk).replace('key', '/d/key', '/d/temp1', null)
    await expect(claimsOn(disk).replace('key', '/d/key', '/d/temp2', null)).rejects.toThrow(PreconditionFailedError)
    expect(await read(disk, '/d/key')).toBe('one')
    expect(disk.files.filter((path) => path.includes('claims'))).toEqual([])
  })
})

describe('conditional puts of several processes', () => {
  it('lose no update, however they interleave', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const disk = diskWith('/disk', { random: seededRandom(seed) })
      await filesystem('/disk', { fs: disk }).put('key', Buffer.from('0'))
      const acknowledged: number[] = []
      const add = async () => {
        const driver = filesystem('/disk', { fs: disk })
        for (let added = 0; added < 3; ) {
          const { stat, content } = await driver.get('key')
          const next = Number(Buffer.from(content).toString()) + 1
          try {
            await driver.put('key', Buffer.from(String(next)), { ifVersion: stat.version ?? null })
            acknowledged.push(next)
            added++
          } catch (error) {
            if (!(error instanceof PreconditionFailedError)) throw error
          }
        }
      }
      await Promise.all([add(), add(), add(), add()])
      expect(
        acknowledged.sort((a, b) => a - b),
        `seed ${seed}`,
      ).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
      expect(disk.files, `seed ${seed}`).toEqual(['/disk/key'])
    }
  })

  it('do not undo what one put of the same process wrote after the look, without a condition', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const driver = filesystem('/disk', { fs: diskWith('/disk', { random: seededRandom(seed) }) })
      await driver.put('key', Buffer.from('first'))
      const version = (await driver.stat('key'))?.version ?? null
      await Promise.allSettled([
        driver.put('key', Buffer.from('with'), { ifVersion: version }),
        driver.put('key', Buffer.from('without')),
      ])
      // Whichever came first: the conditional one fails if it was second.
      expect(Buffer.from((await driver.get('key')).content).toString(), `seed ${seed}`).toBe('without')
    }
  })
})
