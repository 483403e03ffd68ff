import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { seededBytes, seededRandom } from '../../src/testing/seeded.ts'
import { describeOn, type RunningS3, versitygw } from '../support/servers/index.ts'
import { Cluster } from './cluster.ts'
import { upload } from './uploader.ts'

const LARGE = process.env.WHARFAGE_SOAK === 'large'
const UPLOADS = LARGE ? 100 : 12
const UPLOAD_BYTES = (LARGE ? 64 : 16) * 1024 * 1024
const UPLOADS_AT_ONCE = 4
/** Chunks of all uploads together between two kills. */
const CHUNKS_PER_KILL = 5
const NODES = 3

describeOn(versitygw, 'three processes over one bucket', (running) => {
  const start = async (random: () => number): Promise<{ cluster: Cluster; bucket: string; store: RunningS3 }> => {
    const store = running()
    const bucket = await store.createBucket()
    const cluster = await Cluster.start(NODES, store, `s3://${bucket}/root?endpoint=${store.endpoint}`, random)
    return { cluster, bucket, store }
  }

  it('take uploads in turns, chunk by chunk, while one after the other is killed', { timeout: 1_800_000 }, async () => {
    const random = seededRandom(20_261_124)
    const { cluster, bucket, store } = await start(random)
    await using _ = cluster
    let chunks = 0
    let killing: Promise<void> | undefined
    const onChunk = () => {
      if (++chunks % CHUNKS_PER_KILL !== 0 || killing !== undefined) return
      killing = cluster.killOne().finally(() => {
        killing = undefined
      })
    }
    const digests: string[] = []
    const told = new Set<string>()
    let next = 0
    const work = async () => {
      for (let index = next++; index < UPLOADS; index = next++) {
        const content = seededBytes(UPLOAD_BYTES + index, index)
        const repository = `nodes/app${index % 3}`
        const { digest, id } = await upload(cluster, repository, content, random, onChunk)
        told.add(id)
        digests.push(digest)
        const pulled = await cluster.askUntilAnswered('GET', `/v2/${repository}/blobs/${digest}`)
        expect(`sha256:${createHash('sha256').update(pulled.body).digest('hex')}`).toBe(digest)
      }
    }
    await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, work))
    await killing
    expect(digests.length).toBe(UPLOADS)
    expect(cluster.kills).toBeGreaterThan(UPLOADS / 4)
    expect(await cluster.stop()).toEqual([0, 0, 0])
    const keys = await store.keys(bucket)
    expect(keys.filter((key) => key.endsWith('/data')).length).toBe(UPLOADS)
    // Nobody was told of an upload whose process was killed before it answered: its mark is left until it is old.
    const untold = /\/_uploads\/[0-9a-f-]{36}\/startedat$/
    const left = keys.filter((key) => key.includes('/_uploads/'))
    expect(left.filter((key) => !untold.test(key) || told.has(key.split('/').at(-2) ?? ''))).toEqual([])
    expect(left.length).toBeLessThanOrEqual(cluster.kills)
    expect(await store.unfinished(bucket)).toEqual([])
  })

  it('commit one blob at once, and all succeed', { timeout: 120_000 }, async () => {
    const { cluster, bucket, store } = await start(seededRandom(1))
    await using _ = cluster
    for (const [round, size] of [1, 6_000_000, 40_000_000].entries()) {
      const content = seededBytes(size, 100 + round)
      const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
      const push = async (node: number) => {
        const begun = await cluster.askNode(node, 'POST', '/v2/nodes/same/blobs/uploads/')
        const location = begun.headers.get('location') ?? ''
        // One staged, one straight to its place, one in two requests.
        if (node === 0) return (await cluster.askNode(node, 'PUT', `${location}?digest=${digest}`, {}, content)).status
        const patched = await cluster.askNode(node, 'PATCH', location, {}, content)
        expect(patched.status).toBe(202)
        return (await cluster.askNode(node, 'PUT', `${location}?digest=${digest}`)).status
      }
      expect(await Promise.all([0, 1, 2].map(push))).toEqual([201, 201, 201])
      for (const node of [0, 1, 2]) {
        const { body } = await cluster.askNode(node, 'GET', `/v2/nodes/same/blobs/${digest}`)
        expect(createHash('sha256').update(body).digest('hex')).toBe(digest.slice('sha256:'.length))
      }
    }
    expect((await store.keys(bucket)).filter((key) => key.includes('/_uploads/'))).toEqual([])
    expect(await store.unfinished(bucket)).toEqual([])
  })

  it('move one tag at once: one of those who expect the same wins', { timeout: 120_000 }, async () => {
    const { cluster } = await start(seededRandom(2))
    await using _ = cluster
    const type = 'application/vnd.oci.image.index.v1+json'
    const manifest = (name: string) =>
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [], annotations: { name } }))
    const put = (node: number, name: string, headers: Record<string, string>) =>
      cluster.askNode(
        node,
        'PUT',
        '/v2/nodes/tags/manifests/latest',
        { 'content-type': type, ...headers },
        manifest(name),
      )
    expect((await put(0, 'first', { 'if-none-match': '*' })).status).toBe(201)
    for (let round = 0; round < 10; round++) {
      const now = await cluster.ask('HEAD', '/v2/nodes/tags/manifests/latest')
      const etag = now.headers.get('etag') ?? ''
      const answers = await Promise.all([0, 1, 2].map((node) => put(node, `${round}-${node}`, { 'if-match': etag })))
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 412, 412])
      const winner = answers.findIndex(({ status }) => status === 201)
      for (const node of [0, 1, 2]) {
        const { body } = await cluster.askNode(node, 'GET', '/v2/nodes/tags/manifests/latest')
        expect(body.toString()).toBe(manifest(`${round}-${winner}`).toString())
      }
    }
    const unconditional = await Promise.all([0, 1, 2].map((node) => put(node, `last-${node}`, {})))
    expect(unconditional.map(({ status }) => status)).toEqual([201, 201, 201])
    const { body } = await cluster.ask('GET', '/v2/nodes/tags/manifests/latest')
    expect([0, 1, 2].map((node) => manifest(`last-${node}`).toString())).toContain(body.toString())
  })
})
