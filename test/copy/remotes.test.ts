import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { copy } from '../../src/copy.ts'
import { RemoteBackend } from '../../src/remote/remote-backend.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { rig } from '../remote/rig.ts'
import { pushImage } from '../support/images.ts'
import { follow, holdings, noWaiting, testRegistry } from './support.ts'

const MIB = 1024 * 1024

describe('copy over HTTP', () => {
  it('pulls and pushes, and tells the length of what it sends', async () => {
    const [from, to] = [await rig(), await rig()]
    const repository = from.registry.repository('a')
    const image = await pushImage(repository, ['small', 'l'.repeat(5 * MIB)], { tags: ['v1'] })
    await pushImage(repository, ['signature'], {
      subject: {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: image.digest,
        size: image.content.byteLength,
      },
    })
    await copy(from.remote, to.remote, { referrers: true })
    expect(await holdings(to.registry.repository('a'))).toEqual(await holdings(repository))
    const puts = to.seen.filter(({ method, url }) => method === 'PUT' && url.includes('/uploads/'))
    expect(
      puts
        .map(({ headers }) => Number(headers['content-length']))
        .sort((a, b) => b - a)
        .slice(0, 2),
    ).toEqual([image.config.size, 5 * MIB])
  })

  it('mounts within one registry, though two backends lead there', async () => {
    const { registry, remote, url, lines } = await rig()
    await pushImage(registry.repository('a'), ['one'], { tags: ['v1'] })
    await using other = new RemoteBackend(url)
    const { blobs } = await copy({ backend: remote, repository: 'a' }, { backend: other, repository: 'b' })
    expect(blobs).toEqual({ moved: 0, mounted: 2, skipped: 0, foreign: 0 })
    expect(lines().filter((line) => line.includes('/blobs/sha256') && line.startsWith('GET'))).toEqual([])
  })

  it('goes on with a push whose connection broke', async () => {
    const { registry: from } = testRegistry()
    const to = await rig()
    const layer = randomBytes(40 * MIB)
    const blob = await from.repository('a').blobs.put(layer)
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: blob, layers: [] }))
    await from.repository('a').manifests.put(manifest, { mediaType, tags: ['v1'] })
    let cuts = 0
    to.intercept = (req) => {
      if (req.method !== 'PUT' || !req.url?.includes('/uploads/') || cuts === 2) return false
      cuts++
      // Looked at from outside: the registry alone reads the body.
      const { socket } = req
      const end = socket.bytesRead + 10 * MIB
      const look = () => {
        if (socket.bytesRead > end) socket.destroy()
        else if (!socket.destroyed) setImmediate(look)
      }
      look()
      return false
    }
    const { events, result } = await follow(copy(from, to.remote, noWaiting()))
    expect(result.blobs.moved).toBe(1)
    const starts = events.flatMap((event) => (event.type === 'blob.started' ? event.bytes : []))
    expect(starts).toHaveLength(3)
    expect(starts[1]).toBeGreaterThan(MIB)
    expect(starts[2]).toBeGreaterThan((starts[1] ?? 0) + MIB)
    expect((await to.registry.repository('a').blobs.stat(digestOf(layer))).size).toBe(layer.byteLength)
  })
})
