import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeFileOps } from '../../src/drivers/filesystem/file-ops.ts'
import { withLock } from '../../src/layout/lock-file.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const newDirectory = temporaryDirectories()

describe('withLock', () => {
  it('lets one at a time in, and gives the lock back when the task fails', async () => {
    const directory = await newDirectory()
    const path = join(directory, 'lock')
    let inside = 0
    const tasks = Array.from({ length: 10 }, (_, index) =>
      withLock(nodeFileOps, path, async () => {
        expect(++inside).toBe(1)
        expect(await readdir(directory)).toEqual(['lock'])
        inside--
        if (index === 3) throw new Error('the task failed')
      }),
    )
    const results = await Promise.allSettled(tasks)
    expect(results.map(({ status }) => status).filter((status) => status === 'rejected')).toEqual(['rejected'])
    expect(await readdir(directory)).toEqual([])
  })

  it('takes a lock away that stays, for all who wait for it', async () => {
    const directory = await newDirectory()
    const path = join(directory, 'lock')
    await writeFile(path, '')
    let inside = 0
    const task = async () => {
      expect(++inside).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
    }
    await Promise.all([1, 2, 3].map(() => withLock(nodeFileOps, path, task, { staleMs: 100 })))
    expect(await readdir(directory)).toEqual([])
  })
})
