import {
  appendFile,
  chmod,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packDirectory } from '../../src/image/directory.ts'
import { type Addition, image, pull } from '../../src/image/index.ts'
import type { ImageLayer } from '../../src/image/layer.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { run } from '../tar/support.ts'
import { blobOf, entriesOf, filesOf, registry } from './support.ts'

const temporaryDirectory = temporaryDirectories()
const LONG = `${'verzeichnis-'.repeat(10)}ä/${'datei-'.repeat(30)}ж`

async function tree(): Promise<string> {
  const directory = await temporaryDirectory()
  await mkdir(join(directory, 'bin'))
  await mkdir(join(directory, 'empty'), { mode: 0o700 })
  await mkdir(join(directory, LONG.split('/')[0] ?? ''))
  await writeFile(join(directory, LONG), 'long')
  await writeFile(join(directory, 'bin/tool'), '#!', { mode: 0o711 })
  await writeFile(join(directory, 'bin-not'), 'x'.repeat(600_000), { mode: 0o600 })
  await link(join(directory, 'bin/tool'), join(directory, 'bin/other'))
  await symlink('../bin-not', join(directory, 'bin/link'))
  await symlink('nowhere', join(directory, 'dangling'))
  await run('mkfifo', [join(directory, 'pipe')])
  return directory
}

/** The one layer of an image of this. */
async function built(addition: Addition, compression: 'gzip' | 'none' = 'gzip') {
  const app = registry().repository('app')
  const { digest } = await image.scratch({ platform: 'linux/amd64' }).add(addition).push(app, { compression })
  const [layer] = (await pull({ repository: app, reference: digest })).layers
  if (layer === undefined) throw new Error('no layer')
  return { app, layer }
}

async function listed(layer: ImageLayer) {
  return (await entriesOf(layer)).map(({ name, type, mode, linkname, uid, mtime }) => [
    name,
    type,
    mode,
    linkname,
    uid,
    mtime,
  ])
}

describe('ImageBuilder.add of a directory', () => {
  it('takes files of all kinds in the order of their names, as every machine would', async () => {
    const directory = await tree()
    const { layer } = await built(directory)
    const [top = ''] = LONG.split('/')
    expect(await listed(layer)).toEqual([
      ['bin/', 'directory', 0o755, undefined, 0, 0],
      ['bin/link', 'symlink', 0o777, '../bin-not', 0, 0],
      ['bin/other', 'file', 0o755, undefined, 0, 0],
      ['bin/tool', 'hardlink', 0o644, 'bin/other', 0, 0],
      ['bin-not', 'file', 0o644, undefined, 0, 0],
      ['dangling', 'symlink', 0o777, 'nowhere', 0, 0],
      ['empty/', 'directory', 0o755, undefined, 0, 0],
      ['pipe', 'fifo', 0o644, undefined, 0, 0],
      [`${top}/`, 'directory', 0o755, undefined, 0, 0],
      [LONG, 'file', 0o644, undefined, 0, 0],
    ])
  })

  it('is the same layer whenever and by whomever the files were made', async () => {
    const one = await tree()
    const other = await tree()
    await utimes(join(other, 'bin-not'), 1, 1)
    await chmod(join(other, 'bin-not'), 0o664)
    await chmod(join(other, 'bin/tool'), 0o755)
    const diffIds = []
    for (const directory of [one, other, pathToFileURL(other)]) diffIds.push((await built(directory)).layer.diffId)
    expect(new Set(diffIds).size).toBe(1)
    await appendFile(join(other, 'bin-not'), 'y')
    expect((await built(other)).layer.diffId).not.toBe(diffIds[0])
  })

  it('is the same layer as the files by their paths', async () => {
    const directory = await temporaryDirectory()
    const files = { 'a-b': '1', 'a/b': '2', 'a/c/d': '3', Z: '4', é: '5', 'a.b': '6' }
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(directory, name, '..'), { recursive: true })
      await writeFile(join(directory, name), content)
    }
    expect((await built(directory)).layer.diffId).toBe((await built(files)).layer.diffId)
  })

  it('takes one file under its name', async () => {
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'server.js'), 'serve()')
    expect(await filesOf((await built(join(directory, 'server.js'))).layer)).toEqual({ 'server.js': 'serve()' })
  })

  it('is listed and extracted by GNU tar', async () => {
    const directory = await tree()
    const target = await temporaryDirectory()
    for (const compression of ['gzip', 'none'] as const) {
      const { app, layer } = await built(directory, compression)
      const file = join(target, `${compression}.tar`)
      await writeFile(file, await blobOf(app, layer.descriptor))
      const options = { env: { ...process.env, LC_ALL: 'C.UTF-8' } }
      const { stdout, stderr } = await run('tar', ['--quoting-style=literal', '-tf', file], options)
      expect([stdout.trim().split('\n'), stderr]).toEqual([(await entriesOf(layer)).map(({ name }) => name), ''])
      const out = join(target, compression)
      await mkdir(out)
      await run('tar', ['--no-same-owner', '-xpf', file, '-C', out], options)
      expect((await readdir(out, { recursive: true })).sort()).toEqual(
        (await readdir(directory, { recursive: true })).sort(),
      )
      expect(await readFile(join(out, 'bin-not'), 'utf8')).toBe('x'.repeat(600_000))
      expect(await readlink(join(out, 'bin/link'))).toBe('../bin-not')
      const [tool, other] = [await stat(join(out, 'bin/tool')), await stat(join(out, 'bin/other'))]
      expect([tool.ino, tool.mode & 0o777]).toEqual([other.ino, 0o755])
    }
  })

  it('says what it cannot read', async () => {
    const directory = await temporaryDirectory()
    const missing = built(join(directory, 'missing'))
    await expect(missing).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: expect.stringContaining('missing cannot be read: ENOENT'),
    })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(directory, 'socket'), resolve))
    try {
      await expect(built(directory)).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        message: `${join(directory, 'socket')} is a socket, which an image cannot hold: leave it out`,
      })
    } finally {
      await promisify(server.close.bind(server))()
    }
    await writeFile(join(directory, '.wh.file'), '')
    await expect(built(directory)).rejects.toThrow(/remove\(\)/)
  })

  it.each([
    ['grows', 'y'.repeat(300_000)],
    ['shrinks', undefined],
  ])('notices a file that %s while it is read', async (_, more) => {
    const directory = await temporaryDirectory()
    const file = join(directory, 'file')
    await writeFile(file, 'x'.repeat(1_000_000))
    const reading = async () => {
      for await (const { content } of packDirectory(file, '', { mtime: new Date(0) })) {
        if (content === undefined || content instanceof Uint8Array) continue
        for await (const _ of content) {
          if (more === undefined) await writeFile(file, '')
          else await appendFile(file, more)
        }
      }
    }
    await expect(reading()).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: `${file} changed its size while it was read`,
    })
  })
})

describe('an image of any files', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 80 })
    .map((text) => text.replaceAll(/[/\0]/g, '_'))
    .filter((text) => text !== '.' && text !== '..' && !text.startsWith('.wh.'))
  const files = fc
    .dictionary(
      fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
      fc.string({ maxLength: 2_000 }),
      { maxKeys: 20 },
    )
    .filter((tree) =>
      Object.keys(tree).every((path) => !Object.keys(tree).some((other) => other.startsWith(`${path}/`))),
    )

  it('has them when it is pulled', async () => {
    await fc.assert(
      fc.asyncProperty(files, fc.constantFrom('gzip' as const, 'none' as const), async (tree, compression) => {
        const found = await filesOf((await built(tree, compression)).layer)
        expect(Object.fromEntries(Object.entries(found).filter(([path]) => !path.endsWith('/')))).toEqual({ ...tree })
        const directories = Object.keys(found).filter((path) => path.endsWith('/'))
        expect(new Set(directories).size).toBe(directories.length)
      }),
    )
  })
})
