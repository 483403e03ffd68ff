import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openStorage } from '../../src/cli/storage.ts'
import { digestOf } from '../../src/spec/digest.ts'
import { HttpClient } from '../support/http-client.ts'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { describeOn, versitygw } from '../support/servers/index.ts'

const BLOB = Buffer.from('kept in a bucket')
const DIGEST = digestOf(BLOB)

describe('--storage with the URL of a bucket', () => {
  it.each([
    ['s3:images', 'expected s3://NAME/PREFIX?…'],
    ['s3://', 'expected s3://NAME/PREFIX?…'],
    ['s3://images?regoin=eu-west-1', 'no parameter "regoin": did you mean region?'],
    ['s3://key:secret@images', 'credentials do not belong in the URL: see the documentation'],
    ['azure://', 'expected azure://NAME/PREFIX?…'],
    ['azure://images?acount=ours', 'no parameter "acount": did you mean account?'],
    ['gs:images', 'expected gs://NAME/PREFIX?…'],
    ['gs://images?project=', 'the parameter "project" is empty'],
    ['gcs://images', 'no such kind of storage: did you mean gs://BUCKET/PREFIX?…?'],
  ])('refuses %s as a mistake of who wrote it', async (url, message) => {
    await expect(openStorage(url)).rejects.toMatchObject({
      name: 'CliError',
      exitCode: 2,
      message: `--storage ${url}: ${message}`,
    })
  })
})

describeOn(versitygw, 'wharfage serve', (running) => {
  function serve(url: string): RunningCommand {
    const { accessKeyId, secretAccessKey } = running().credentials
    return new RunningCommand([COMMAND, 'serve', '--listen', '127.0.0.1:0', '--storage', url], {
      env: { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    })
  }

  it('keeps its images in the bucket, below the prefix, and says where they are', async () => {
    const bucket = await running().createBucket()
    const url = `s3://${bucket}/some/where?endpoint=${running().endpoint}&region=${running().region}`
    await using command = serve(url)
    using client = new HttpClient(await command.listening())
    const pushed = await client.send('POST', `/v2/team/app/blobs/uploads/?digest=${DIGEST}`, { body: BLOB })
    expect(pushed.status).toBe(201)
    expect(command.stdout).toContain(`images are in s3://${bucket}/some/where\n`)
    const keys = await running().keys(bucket)
    const hex = DIGEST.slice('sha256:'.length)
    expect(keys).toContain(`some/where/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`)
    expect(keys.every((key) => key.startsWith('some/where/'))).toBe(true)
  })

  it('does not start on a bucket that there is not, and says so', async () => {
    const url = `s3://no-such-bucket?endpoint=${running().endpoint}&region=${running().region}`
    await using command = serve(url)
    expect(await command.exit).toMatchObject({ code: 1 })
    expect(command.stderr).toContain(`wharfage: --storage ${url}: there is no bucket no-such-bucket`)
  })

  it('does not start where nobody listens, and says so', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const url = `s3://images?endpoint=http://127.0.0.1:${port}&region=us-east-1`
    await using command = serve(url)
    expect(await command.exit).toMatchObject({ code: 1 })
    expect(command.stderr).toContain(`wharfage: --storage ${url}: the store cannot be reached`)
  })
})
