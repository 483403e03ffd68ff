import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { layoutDirectory } from '../../src/layout/index.ts'
import { collect, readBlob } from '../support/images.ts'
import { RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const newDirectory = temporaryDirectories()
const WRITER = fileURLToPath(new URL('killed-writer.js', import.meta.url))

describe('a writer that is killed', () => {
  it.each([1, 4, 9])(
    'leaves a layout with all that it acknowledged, and nothing in part (after %i images)',
    async (count) => {
      const path = join(await newDirectory(), 'layout')
      const acknowledged = await killAfter(count, 'directory', path)
      const repository = layoutDirectory(path, { create: false }).repository('image')
      const tags = await collect(repository.tags.list())
      expect(tags).toEqual(expect.arrayContaining(acknowledged))
      for (const tag of tags) {
        const { layers } = JSON.parse(Buffer.from((await repository.manifests.get(tag)).content).toString())
        expect((await readBlob(repository, layers[0].digest)).length).toBe(200_000)
      }
      for await (const digest of repository.blobs.list()) await readBlob(repository, digest)
      const visible = (await readdir(path)).filter((name) => !name.startsWith('.wharfage-'))
      expect(visible.sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
    },
  )

  it('leaves no archive under its name, and the one before as it was', async () => {
    const directory = await newDirectory()
    await writeFile(join(directory, 'old.tar'), 'the one before')
    for (const name of ['new.tar', 'old.tar']) await killAfter(3, 'archive', join(directory, name))
    expect((await readdir(directory)).filter((name) => !name.startsWith('.'))).toEqual(['old.tar'])
  })
})

/** Resolves with the tags that were acknowledged. */
async function killAfter(count: number, kind: string, path: string): Promise<string[]> {
  await using writer = new RunningCommand([WRITER, kind, path])
  await writer.says(`v${count - 1}.\n`)
  writer.kill('SIGKILL')
  expect(await writer.exit).toEqual({ code: null, signal: 'SIGKILL' })
  return [...writer.stderr.matchAll(/^(v\d+)\.$/gm)].map(([, tag = '']) => tag)
}
