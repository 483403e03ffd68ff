import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HttpClient } from '../support/http-client.ts'
import {
  type BlobFact,
  type Ledger,
  type ManifestFact,
  type OpenUpload,
  possibleTargets,
  type TagWrite,
} from './ledger.ts'
import { locationOf, withDigest } from './pusher.ts'

/** Asks the server for everything in the ledger. @returns what is not as it was acknowledged, one line each */
export async function verifyLedger(client: HttpClient, ledger: Ledger): Promise<string[]> {
  const findings = await Promise.all([
    ...ledger.blobs.map((fact) => verifyBlob(client, fact)),
    ...ledger.manifests.map((fact) => verifyManifest(client, fact)),
    ...[...byTag(ledger.tags)].map((writes) => verifyTag(client, writes)),
    ...[...ledger.uploads].map((upload) => verifyUpload(client, upload)),
  ])
  return findings.flat()
}

async function verifyBlob(client: HttpClient, { repository, digest, size }: BlobFact): Promise<string[]> {
  const { status, body } = await client.send('GET', `/v2/${repository}/blobs/${digest}`)
  const name = `blob ${digest} of ${repository}`
  if (status !== 200) return [`${name}: ${status}`]
  return digestOf(body) === digest ? [] : [`${name}: ${body.length} bytes of ${size}, or others`]
}

async function verifyManifest(client: HttpClient, { repository, digest, content }: ManifestFact): Promise<string[]> {
  const { status, body } = await client.send('GET', `/v2/${repository}/manifests/${digest}`)
  return status === 200 && body.equals(content) ? [] : [`manifest ${digest} of ${repository}: ${status}`]
}

async function verifyTag(client: HttpClient, writes: readonly TagWrite[]): Promise<string[]> {
  const [write] = writes
  if (write === undefined) return []
  const path = `/v2/${write.repository}/manifests/${write.tag}`
  const { status, headers, body } = await client.send('GET', path)
  const digest = status === 404 ? undefined : digestOf(body)
  if (status !== 404 && headers['docker-content-digest'] !== digest)
    return [`tag ${path}: ${status} with other content`]
  return possibleTargets(writes).has(digest) ? [] : [`tag ${path}: ${status}, ${digest} after ${writes.length} writes`]
}

/** Goes on where the server says it is, which is not before what it acknowledged, and finishes the upload. */
async function verifyUpload(client: HttpClient, upload: OpenUpload): Promise<string[]> {
  const { repository, digest, content, acknowledged, finishing } = upload
  const name = `upload of ${digest} to ${repository}, ${acknowledged} of ${content.byteLength} bytes acknowledged`
  const status = await client.send('GET', upload.location)
  if (status.status === 404 && finishing) {
    // It may have been published before the answer could be sent; then the client's repetition is a success.
    const again = await client.send('PUT', withDigest(upload.location, digest))
    return again.status === 201 ? [] : [`${name}: gone, and finishing it again is ${again.status}`]
  }
  if (status.status !== 204) return [`${name}: status is ${status.status} ${status.body.toString()}`]
  const offset = offsetOf(status.headers.range)
  if (offset < acknowledged) return [`${name}: went back to ${offset}`]
  const rest = content.subarray(offset)
  const location = rest.byteLength === 0 ? locationOf(status) : await sendRest(client, locationOf(status), rest, offset)
  if (location === undefined) return [`${name}: cannot go on from ${offset}`]
  const finished = await client.send('PUT', withDigest(location, digest))
  if (finished.status !== 201)
    return [`${name}: resumed from ${offset}, finishing is ${finished.status} ${finished.body.toString()}`]
  const { body } = await client.send('GET', `/v2/${repository}/blobs/${digest}`)
  return digestOf(body) === digest ? [] : [`${name}: resumed from ${offset}, reads back otherwise`]
}

async function sendRest(
  client: HttpClient,
  location: string,
  body: Uint8Array,
  offset: number,
): Promise<string | undefined> {
  const headers = { 'content-range': `${offset}-${offset + body.byteLength - 1}` }
  const answer = await client.send('PATCH', location, { headers, body })
  return answer.status === 202 ? locationOf(answer) : undefined
}

/** `0-41` is 42 bytes; `0-0`, by the specification's own ambiguity, none (no content here is of one byte). */
function offsetOf(range: string | undefined): number {
  const last = Number(/^0-(\d+)$/.exec(range ?? '')?.[1] ?? Number.NaN)
  return last === 0 ? 0 : last + 1
}

/**
 * Hashes every file under `blobs/`. @returns those that are not what their names say
 *
 * @param known - of earlier calls: files that were right are not read again
 */
export async function findPartialBlobs(directory: string, known: Set<string>): Promise<string[]> {
  const partial: string[] = []
  const blobs = join(directory, 'docker/registry/v2/blobs')
  const entries = await readdir(blobs, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || known.has(path)) continue
    const [algorithm = '', , hex] = path.slice(blobs.length + 1).split('/')
    const content = await readFile(path)
    if (entry.name !== 'data' || createHash(algorithm).update(content).digest('hex') !== hex) {
      partial.push(`${path}: ${content.byteLength} bytes`)
    } else known.add(path)
  }
  return partial
}

function byTag(writes: readonly TagWrite[]): Iterable<TagWrite[]> {
  const groups = new Map<string, TagWrite[]>()
  for (const write of writes) {
    const key = `${write.repository}:${write.tag}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [write])
    else group.push(write)
  }
  return groups.values()
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
