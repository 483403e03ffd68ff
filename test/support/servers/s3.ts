import { CreateBucketCommand, ListMultipartUploadsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import type { ServerProcess } from './process.ts'
import { bucketName, inByteOrder, type RunningServer } from './server.ts'

export interface RunningS3 extends RunningServer {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** A client of the test's own, path style, for looking behind a driver's back; destroyed by `stop`. */
  readonly client: S3Client
}

/** Whoever speaks S3, once it runs. */
export function runningS3(server: ServerProcess, credentials: RunningS3['credentials']): RunningS3 {
  const endpoint = `http://127.0.0.1:${server.port}`
  const region = 'us-east-1'
  const client = new S3Client({
    endpoint,
    region,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  return {
    endpoint,
    region,
    credentials,
    client,
    directory: server.directory,
    environment: {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: region,
    },
    async createBucket() {
      const Bucket = bucketName()
      await client.send(new CreateBucketCommand({ Bucket }))
      return Bucket
    },
    async keys(Bucket) {
      const keys: string[] = []
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
        for (const { Key = '' } of Contents) keys.push(Key)
      }
      return inByteOrder(keys)
    },
    unfinished: (bucket) => unfinishedUploads(client, bucket),
    async stop() {
      client.destroy()
      await server.stop()
    },
  }
}

/** Keys of multipart uploads that were neither completed nor aborted; the SDK has no paginator for them. */
async function unfinishedUploads(client: S3Client, Bucket: string): Promise<string[]> {
  const keys: string[] = []
  let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ Bucket, ...after }))
    for (const { Key = '' } of page.Uploads ?? []) keys.push(Key)
    if (page.IsTruncated !== true) return inByteOrder(keys)
    after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}
