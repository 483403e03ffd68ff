import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Cluster } from './cluster.ts'

/** Odd on purpose: around the smallest part that S3 takes, and around nothing at all. */
const CHUNKS = [1, 65_537, 1_000_003, 5 * 1024 * 1024 - 1, 5 * 1024 * 1024, 5 * 1024 * 1024 + 1, 7_340_033]

/** Uploads in chunks through whichever node, and goes on where the registry says it stands. */
export async function upload(
  cluster: Cluster,
  repository: string,
  content: Uint8Array,
  random: () => number,
  onChunk: () => void,
): Promise<{ readonly digest: string; readonly id: string }> {
  const begun = await cluster.askUntilAnswered('POST', `/v2/${repository}/blobs/uploads/`)
  expect(begun.status).toBe(202)
  const location = begun.headers.get('location') ?? ''
  let acknowledged = 0
  /** What an answer says, which must never be less than what an earlier one has said. */
  const stands = (headers: Headers): number => {
    const [, last] = /^0-(\d+)$/.exec(headers.get('range') ?? '') ?? []
    // `0-0` is how nothing is told, and one byte.
    const offset = last === undefined ? 0 : last === '0' ? acknowledged : Number(last) + 1
    expect(offset).toBeGreaterThanOrEqual(acknowledged)
    return offset
  }
  while (acknowledged < content.byteLength) {
    const size = CHUNKS[Math.floor(random() * CHUNKS.length)] ?? 1
    const end = Math.min(acknowledged + size, content.byteLength)
    const isStreamed = random() < 0.2
    const headers = isStreamed ? {} : { 'content-range': `${acknowledged}-${end - 1}` }
    const answer = await cluster
      .ask(
        'PATCH',
        location,
        { ...headers, 'content-type': 'application/octet-stream' },
        content.subarray(acknowledged, end),
      )
      .catch(() => undefined)
    onChunk()
    if (answer?.status === 202) {
      acknowledged = stands(answer.headers)
      if (acknowledged === 0 && end === 1) acknowledged = 1
      continue
    }
    // Whatever happened to it: the registry knows how much it has.
    const status = await cluster.askUntilAnswered('GET', location)
    expect([status.status, status.body.toString()]).toEqual([204, ''])
    acknowledged = stands(status.headers)
  }
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  const finish = `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
  onChunk()
  const done = await cluster.askUntilAnswered('PUT', finish)
  expect([done.status, done.body.toString()]).toEqual([201, ''])
  // As if that answer had been lost.
  expect((await cluster.askUntilAnswered('PUT', finish)).status).toBe(201)
  return { digest, id: begun.headers.get('docker-upload-uuid') ?? '' }
}
