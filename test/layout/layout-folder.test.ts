import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LayoutFolder } from '../../src/layout/layout-folder.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()

it('is a layout that somebody else makes while we look for it', async () => {
  const path = await temporaryDirectory()
  const folder = new LayoutFolder(path, { mayCreate: true })
  const { ops } = folder
  let opened = 0
  const open: typeof ops.open = async (...given) => {
    if (opened++ > 0) return ops.open(...given)
    await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    throw Object.assign(new Error('not there yet'), { code: 'ENOENT' })
  }
  Object.assign(folder, { ops: { ...ops, open } })
  expect(await folder.check()).toBe(true)
  expect(opened).toBe(2)
})
