import { execFile, execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { nodeFileOps } from '../../../src/drivers/filesystem/file-ops.ts'
import { TEMPORARY } from '../../../src/drivers/filesystem/layout.ts'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { StorageDriver } from '../../../src/storage/driver.ts'
import { StorageUnavailableError } from '../../../src/storage/driver.ts'
import { interceptedOps } from '../../support/intercepted-ops.ts'
import { diskWith } from '../../support/simulated-disk.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'

const directory = temporaryDirectories()

async function listed(driver: StorageDriver, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of driver.list(prefix)) keys.push(key)
  return keys
}

describe('the root directory', () => {
  it('is warned of when its disk does not tell upper from lower case', async () => {
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) }
    const folding = interceptedOps((call, proceed) =>
      call.name === 'lstat' && call.path.endsWith('/DOCKER')
        ? nodeFileOps.lstat(call.path.replace('DOCKER', 'docker'))
        : proceed(),
    )
    await filesystem(await directory(), { logger, fs: folding }).put('key', Buffer.from('x'))
    await filesystem(await directory(), { logger }).put('key', Buffer.from('x'))
    expect(warnings).toEqual([expect.stringContaining('does not tell upper from lower case')])
  })

  it('is made, with those above it, when it is first used', async () => {
    const root = join(await directory(), 'not', 'there', 'yet')
    const driver = filesystem(root)
    expect(await driver.stat('key')).toBeUndefined()
    await driver.put('key', Buffer.from('x'))
    expect(await readFile(join(root, 'key'), 'utf8')).toBe('x')
  })

  it('is refused in words when it is a file, or below one, and taken once it is right', async () => {
    const parent = await directory()
    await writeFile(join(parent, 'file'), '')
    for (const [root, reason] of [
      [join(parent, 'file'), 'it is a file'],
      [join(parent, 'file', 'below'), 'it, or something above it, is a file'],
    ] as const) {
      const driver = filesystem(root)
      await expect(driver.put('key', Buffer.from('x'))).rejects.toThrow(StorageUnavailableError)
      await expect(driver.get('key')).rejects.toThrow(`storage directory ${root}: ${reason}`)
    }
    const later = filesystem(join(parent, 'later'))
    await writeFile(join(parent, 'later'), '')
    await expect(later.get('key')).rejects.toThrow(StorageUnavailableError)
    execFileSync('rm', [join(parent, 'later')])
    await later.put('key', Buffer.from('x'))
  })

  it('is refused in words when it is a symbolic link that leads nowhere: that is not an empty store', async () => {
    const root = join(await directory(), 'link')
    await symlink('nowhere', root)
    const driver = filesystem(root)
    const refusal = new StorageUnavailableError(`storage directory ${root}: it is a symbolic link that leads nowhere`)
    await expect(driver.get('key')).rejects.toThrow(refusal)
    await expect(driver.put('key', Buffer.from('x'))).rejects.toThrow(refusal)
  })

  it.each(['ENOENT', 'EACCES', 'EPERM', 'EROFS'])('is refused in words when making it fails with %s', async (code) => {
    const parent = await directory()
    const fs = interceptedOps(({ name, path }, proceed) => {
      if (name === 'mkdirAlone' && path === join(parent, 'a')) throw Object.assign(new Error(code), { code })
      return proceed()
    })
    const root = join(parent, 'a', 'b')
    const driver = filesystem(root, { fs })
    const refusal = new StorageUnavailableError(
      `storage directory ${root}: it is not there, and cannot be made in ${parent} (${code})`,
    )
    await expect(driver.get('key')).rejects.toThrow(refusal)
    await expect(driver.put('key', Buffer.from('x'))).rejects.toThrow(refusal)
    await expect(driver.ping()).rejects.toThrow(refusal)
  })

  it('is refused in words when it takes no directories, and says of those that they are missing', async () => {
    const root = await directory()
    const fs = interceptedOps(({ name }, proceed) => {
      if (name === 'mkdir') throw new Error('never ends')
      if (name === 'mkdirAlone') throw Object.assign(new Error('no entry'), { code: 'ENOENT' })
      return proceed()
    })
    await expect(filesystem(root, { fs }).put('key', Buffer.from('x'))).rejects.toThrow(
      new StorageUnavailableError(`storage directory ${root}: no directory can be made in it`),
    )
  })

  it('can be read where it cannot be written to', async () => {
    const root = await directory()
    await writeFile(join(root, 'key'), 'x')
    const fs = interceptedOps(({ name }, proceed) => {
      if (name.startsWith('mkdir')) throw Object.assign(new Error('read-only'), { code: 'EROFS' })
      return proceed()
    })
    expect((await filesystem(root, { fs }).get('key')).content).toEqual(Buffer.from('x'))
  })

  // Where there is no such file system, these are directories that cannot be made.
  it.each(['/proc/wharfage', '/proc/self/wharfage/below', '/proc/self/fd'])(
    'is refused at once, when it is %s',
    async (root) => {
      // In a process of its own: what never ends keeps one from ending.
      const program = `import { FilesystemDriver } from './dist/drivers/filesystem.js'
        const failed = (error) => console.log(error.name)
        await new FilesystemDriver(${JSON.stringify(root)}).put('a/b', Buffer.from('x')).catch(failed)`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
        timeout: 20_000,
        killSignal: 'SIGKILL',
      })
      expect(stdout).toBe('StorageUnavailableError\n')
    },
  )

  it('may be a symbolic link, which is followed once', async () => {
    const parent = await directory()
    await mkdir(join(parent, 'disk1'))
    await mkdir(join(parent, 'disk2'))
    await symlink('disk1', join(parent, 'root'))
    const driver = filesystem(join(parent, 'root'))
    await driver.put('key', Buffer.from('x'))
    execFileSync('ln', ['-sfn', 'disk2', join(parent, 'root')])
    await driver.put('key2', Buffer.from('x'))
    expect((await readdir(join(parent, 'disk1'))).sort()).toEqual(['docker', 'key', 'key2'])
    expect(await readdir(join(parent, 'disk2'))).toEqual([])
  })

  it('answers a ping when it can be written to', async () => {
    const root = await directory()
    await filesystem(root).ping()
    expect(await listed(filesystem(root), '')).toEqual([])
    await writeFile(join(root, 'file'), '')
    await expect(filesystem(join(root, 'file')).ping()).rejects.toThrow(StorageUnavailableError)
  })
})

describe('what lies in the root and is not an object', () => {
  it('is not listed, not read through, and not in the way', async () => {
    const parent = await directory()
    const root = join(parent, 'root')
    await mkdir(join(root, 'd'), { recursive: true })
    await writeFile(join(parent, 'secret'), 'outside')
    await symlink('../../secret', join(root, 'd', 'link'))
    await symlink('..', join(root, 'd', 'up'))
    await writeFile(join(root, 'd', 'with space'), 'x')
    await writeFile(join(root, 'd', 'ä'), 'x')
    execFileSync('mkfifo', [join(root, 'd', 'pipe')])
    const driver = filesystem(root)
    await driver.put('d/key', Buffer.from('x'))
    expect(await listed(driver, '')).toEqual(['d/key'])
    expect(await driver.stat('d/link')).toBeUndefined()
    await expect(driver.get('d/link')).rejects.toThrow()
    await expect(driver.read('d/link')).rejects.toThrow()
    expect(await driver.stat('d/pipe')).toBeUndefined()
    await expect(driver.get('d/pipe')).rejects.toThrow()
    await driver.put('d/link', Buffer.from('replaced'))
    expect(await readFile(join(parent, 'secret'), 'utf8')).toBe('outside')
  })

  it('is removed after a day when it is a leftover of ours, by the disk’s own clock', async () => {
    const disk = diskWith('/disk')
    const leave = async (name: string) => {
      await disk.mkdir(`/disk/${TEMPORARY}/${name}/below`)
      await disk.close(await disk.open(`/disk/${TEMPORARY}/${name}/below/file`, 0o101))
      await disk.close(await disk.open(`/disk/${TEMPORARY}/${name}.file`, 0o101))
    }
    await leave('old')
    disk.advance(24 * 60 * 60 * 1000)
    await leave('fresh')
    await filesystem('/disk', { fs: disk, logger: silentLogger }).put('key', Buffer.from('x'))
    expect(disk.files.sort()).toEqual([
      `/disk/${TEMPORARY}/fresh.file`,
      `/disk/${TEMPORARY}/fresh/below/file`,
      '/disk/key',
    ])
  })
})
