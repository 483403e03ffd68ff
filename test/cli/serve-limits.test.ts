import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()

async function serve(...args: readonly string[]): Promise<RunningCommand> {
  const options = ['--storage', 'memory:', '--listen', '127.0.0.1:0', ...args]
  return new RunningCommand([COMMAND, 'serve', ...options], { cwd: await temporaryDirectory() })
}

/** Status and first error of a blob of so many bytes, pushed at once. */
async function push(url: string, repository: string, size: number): Promise<unknown[]> {
  const body = new Uint8Array(size).fill(size % 251)
  const target = `${url}/v2/${repository}/blobs/uploads/?digest=${digestOf(body)}`
  const answer = await fetch(target, { method: 'POST', body })
  const text = await answer.text()
  return text === '' ? [answer.status] : [answer.status, JSON.parse(text).errors[0].message]
}

describe('wharfage serve', () => {
  it('--quota limits what repositories hold, each or together', async () => {
    await using server = await serve('--quota', 'team/=3K', '--quota', '**=2K')
    const url = await server.listening()
    expect(await push(url, 'team/a', 2000)).toEqual([201])
    expect(await push(url, 'team/a', 100)).toEqual([
      403,
      'quota exceeded: the repository team/a may hold 2048 bytes, holds 2000, and was sent 100',
    ])
    expect(await push(url, 'team/b', 1000)).toEqual([201])
    expect(await push(url, 'team/c', 1000)).toEqual([
      403,
      'quota exceeded: what lies below team/ may hold 3072 bytes, holds 3000, and was sent 1000',
    ])
    expect(await push(url, 'other', 1500)).toEqual([201])
  })

  it('--max-blob-size limits a blob', async () => {
    await using server = await serve('--max-blob-size', '1K')
    const url = await server.listening()
    expect(await push(url, 'a', 1024)).toEqual([201])
    expect(await push(url, 'a', 1025)).toEqual([413, expect.stringContaining('1024')])
  })

  it('--rate-limit limits requests', async () => {
    await using server = await serve('--rate-limit', '0.01')
    const url = await server.listening()
    const statuses: number[] = []
    for (let i = 0; i < 2; i += 1) statuses.push((await fetch(`${url}/v2/`)).status)
    expect(statuses).toEqual([200, 429])
  })
})
