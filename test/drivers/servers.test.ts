import { existsSync } from 'node:fs'
import { CreateMultipartUploadCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import {
  azurite,
  describeOn,
  fakeGCSServer,
  type RunningServer,
  S3_SERVERS,
  type TestServer,
} from '../support/servers/index.ts'
import { startProcess } from '../support/servers/process.ts'

const BYTES = Buffer.from('stored')

/** What holds of every server. */
function describeServer<R extends RunningServer>(
  server: TestServer<R>,
  store: (running: R, bucket: string, key: string) => Promise<Uint8Array>,
  more: (running: () => R) => void = () => {},
): void {
  describeOn(server, 'a test server', (running) => {
    it('returns what was stored, and lists its key', async () => {
      const bucket = await running().createBucket()
      expect(await running().keys(bucket)).toEqual([])
      for (const key of ['b/c', 'b-c', 'a']) expect(Buffer.from(await store(running(), bucket, key))).toEqual(BYTES)
      expect(await running().keys(bucket)).toEqual(['a', 'b-c', 'b/c'])
      expect(await running().unfinished(bucket)).toEqual([])
    })

    it('makes buckets that share nothing', async () => {
      const bucket = await running().createBucket()
      await store(running(), bucket, 'a')
      expect(await running().keys(await running().createBucket())).toEqual([])
    })

    it('leaves nothing behind when it is stopped', async () => {
      const other = await server.start()
      expect(other.endpoint).not.toBe(running().endpoint)
      expect(existsSync(other.directory)).toBe(true)
      await other.stop()
      await other.stop()
      expect(existsSync(other.directory)).toBe(false)
      await expect(fetch(other.endpoint)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    })

    more(running)
  })
}

for (const server of S3_SERVERS) {
  describeServer(
    server,
    async ({ client }, Bucket, Key) => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: BYTES }))
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      return Body?.transformToByteArray() ?? Buffer.of()
    },
    (running) => {
      it('lists uploads that were not finished', async () => {
        const { client, createBucket, unfinished } = running()
        const Bucket = await createBucket()
        for (const Key of ['b', 'a', 'a']) await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
        expect(await unfinished(Bucket)).toEqual(['a', 'a', 'b'])
      })
    },
  )
}

describeServer(
  azurite,
  async ({ client }, container, key) => {
    const blob = client.getContainerClient(container).getBlockBlobClient(key)
    await blob.uploadData(BYTES)
    return blob.downloadToBuffer()
  },
  (running) => {
    it('lists uploads that were not finished', async () => {
      const { client, createBucket, keys, unfinished } = running()
      const container = await createBucket()
      const blob = client.getContainerClient(container).getBlockBlobClient('a')
      await blob.stageBlock(Buffer.from('1').toString('base64'), BYTES, BYTES.length)
      expect(await keys(container)).toEqual([])
      expect(await unfinished(container)).toEqual(['a'])
    })
  },
)

describeServer(fakeGCSServer, async ({ client }, bucket, key) => {
  const file = client.bucket(bucket).file(key)
  await file.save(BYTES, { resumable: false })
  const [bytes] = await file.download()
  return bytes
})

describe('startProcess', () => {
  it('tells what a server printed that does not start', async () => {
    await expect(
      startProcess({ executable: '/bin/sh', args: () => ['-c', 'echo no such luck >&2; exit 3'] }),
    ).rejects.toThrow('/bin/sh ended: no such luck')
  })
})
