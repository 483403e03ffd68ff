import { describe, expect, it } from 'vitest'
import { DirectorySync } from '../../../src/drivers/filesystem/directory-sync.ts'
import { systemError } from '../../support/inodes.ts'
import { interceptedOps } from '../../support/intercepted-ops.ts'
import { diskWith } from '../../support/simulated-disk.ts'

/** Syncs that are over only when they are told to. */
function heldSyncs() {
  const held: { readonly path: string; end(error?: Error): void }[] = []
  const ops = interceptedOps(async ({ name, path }, proceed) => {
    if (name === 'fsync') {
      await new Promise<void>((resolve, reject) => {
        held.push({ path, end: (error) => (error ? reject(error) : resolve()) })
      })
    }
    return proceed()
  }, diskWith('/a/b'))
  return { held, sync: new DirectorySync(ops) }
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('DirectorySync', () => {
  it('lets all who ask while one runs share the next', async () => {
    const { held, sync } = heldSyncs()
    const first = sync.sync('/a')
    await settle()
    const later = [sync.sync('/a'), sync.sync('/a'), sync.sync('/a')]
    let areOver = false
    void Promise.all(later).then(() => {
      areOver = true
    })
    await settle()
    expect(held).toHaveLength(1)
    held[0]?.end()
    await first
    await settle()
    expect(held).toHaveLength(2)
    expect(areOver).toBe(false)
    held[1]?.end()
    await Promise.all(later)
    expect(held).toHaveLength(2)
  })

  it('begins anew for who asks when none runs', async () => {
    const { held, sync } = heldSyncs()
    for (let round = 1; round <= 3; round++) {
      const asked = sync.sync('/a')
      await settle()
      expect(held).toHaveLength(round)
      held[round - 1]?.end()
      await asked
    }
  })

  it('syncs different directories at once', async () => {
    const { held, sync } = heldSyncs()
    const both = [sync.sync('/a'), sync.sync('/a/b')]
    await settle()
    expect(held.map(({ path }) => path).sort()).toEqual(['/a', '/a/b'])
    for (const { end } of held) end()
    await Promise.all(both)
  })

  it('fails for all who share a failed sync, and for none after it', async () => {
    const { held, sync } = heldSyncs()
    const first = sync.sync('/a')
    await settle()
    const shared = [sync.sync('/a'), sync.sync('/a')]
    held[0]?.end()
    await first
    await settle()
    held[1]?.end(systemError('EIO', 'fsync', '/a'))
    for (const asked of shared) await expect(asked).rejects.toThrow('EIO')
    const next = sync.sync('/a')
    await settle()
    held[2]?.end()
    await next
  })

  it('has nothing to do where there is no such directory', async () => {
    expect(await new DirectorySync(diskWith('/a')).sync('/a/none')).toBe(false)
  })
})
