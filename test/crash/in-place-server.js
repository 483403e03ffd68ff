// @ts-check
// A registry over a driver that is wrong on purpose: where the filesystem driver gives a finished file its name, this one
// writes the bytes under the name, one half after the other. The crash test must find it out.
import { open, readFile, unlink } from 'node:fs/promises'
import { setTimeout as after } from 'node:timers/promises'
import { anyone, filesystem, Registry } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: in-place-server.js DIRECTORY')

/** @type {typeof import('../../src/drivers/filesystem/file-ops.ts')} */
const { nodeFileOps } = await import(new URL('../../dist/drivers/filesystem/file-ops.js', import.meta.url).href)

/**
 * @param {string} from
 * @param {string} to
 * @param {'w' | 'wx'} flags
 */
async function writeInPlace(from, to, flags) {
  const content = await readFile(from)
  const file = await open(to, flags)
  try {
    const half = content.length >> 1
    await file.write(content, 0, half, 0)
    await after(25)
    await file.write(content, half, content.length - half, half)
  } finally {
    await file.close()
  }
}

/** @type {import('../../src/drivers/filesystem/file-ops.ts').FileOps} */
const inPlace = {
  ...nodeFileOps,
  link: (from, to) => (to.endsWith('/data') ? writeInPlace(from, to, 'wx') : nodeFileOps.link(from, to)),
  rename: async (from, to) => {
    if (!to.endsWith('/data')) return nodeFileOps.rename(from, to)
    await writeInPlace(from, to, 'w')
    await unlink(from)
  },
}

const registry = new Registry({ storage: filesystem(directory, { fs: inPlace }) })
const server = createRegistryServer(registry, { access: anyone() })
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`listening on http://127.0.0.1:${address.port}`)
})
