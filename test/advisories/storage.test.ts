import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { client } from '../http/support.ts'
import { pushImage } from '../support/images.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wharfage-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const open = () => new Registry({ storage: filesystem(directory), logger: silentLogger })

async function filesBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(join(directory, path), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

describe('what an interruption left behind', () => {
  it.each([
    ['empty', ''],
    ['cut', 'sha256:12'],
    ['garbage', '\0\xff{"$ne":1}'],
  ])('R-ZERO, distribution#4489: a link that is %s breaks nothing, and a push mends it', async (_, text) => {
    const { digest } = await pushImage(open().repository('a'), ['layer'], { tags: ['v1'] })
    const links = await filesBelow('docker/registry/v2/repositories/a')
    expect(links.length).toBeGreaterThan(3)
    for (const link of links) await writeFile(link, text)
    const { get } = client({}, open())
    for (const url of [
      '/v2/a/manifests/v1',
      `/v2/a/manifests/${digest}`,
      '/v2/a/tags/list',
      '/v2/_catalog',
      `/v2/a/referrers/${digest}`,
    ]) {
      expect([url, [200, 404, 500].includes((await get(url)).status)]).toEqual([url, true])
    }
    const registry = open()
    await pushImage(registry.repository('a'), ['layer'], { tags: ['v1'] })
    const { status, headers } = await client({}, registry).get('/v2/a/manifests/v1')
    expect([status, headers['docker-content-digest']]).toEqual([200, digest])
  })

  it('R-HEAL: a blob that lost its end is never served whole, and a push puts it right', async () => {
    const { layers } = await pushImage(open().repository('a'), ['a layer of some length'], { tags: ['v1'] })
    const [layer] = layers
    const hex = layer?.digest.slice('sha256:'.length) ?? ''
    const data = join(directory, `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`)
    await truncate(data, 5)
    await pushImage(open().repository('a'), ['a layer of some length'], { tags: ['v1'] })
    expect(await readFile(data, 'utf8')).toBe('a layer of some length')
  })

  it('S09: an upload whose file is garbage is unknown or broken, and runs nothing', async () => {
    const { send } = client({}, open())
    const { headers } = await send('POST', '/v2/a/blobs/uploads/')
    for (const file of await filesBelow('docker/registry/v2/repositories/a/_uploads')) {
      await writeFile(file, 'cos\nsystem\n(S"touch pwned"\ntR.')
    }
    const { status } = await client({}, open()).send('GET', String(headers.location))
    expect([204, 404, 500]).toContain(status)
    expect(await readdir(directory)).not.toContain('pwned')
  })
})

describe('the directory', () => {
  it('S15, CVE-2026-50163: has layers as they came, whatever their entries would do if they were extracted', async () => {
    const tar = Buffer.concat(
      ['../../../../evil', '/etc/evil', 'link'].map((name, i) =>
        Buffer.concat([
          Buffer.from(name.padEnd(156, '\0')),
          Buffer.from(i === 2 ? '2/etc/passwd' : '0'),
          Buffer.alloc(340),
        ]),
      ),
    )
    const { digest } = await open().repository('a').blobs.put(tar)
    const { body } = await client({}, open()).get(`/v2/a/blobs/${digest}`)
    expect(body.equals(tar)).toBe(true)
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    expect(entries.filter((entry) => !entry.isFile() && !entry.isDirectory())).toEqual([])
    expect(entries.filter(({ name }) => name === 'evil')).toEqual([])
  })
})
