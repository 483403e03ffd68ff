import { createHash, randomBytes, randomInt } from 'node:crypto'
import type { ClientRequest, ClientResponse, HttpClient } from '../support/http-client.ts'
import type { Ledger, OpenUpload } from './ledger.ts'

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'

export interface Content {
  readonly bytes: Uint8Array
  readonly digest: string
}

export function makeContent(bytes: Uint8Array): Content {
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` }
}

/** Pushes images, one after the other, until the server is gone; what it was told goes to the ledger. */
export class Pusher {
  readonly #client: HttpClient
  readonly #ledger: Ledger
  readonly #repository: string
  readonly #base: Content

  /** @param base - a layer that all images have in common */
  constructor(client: HttpClient, ledger: Ledger, repository: string, base: Content) {
    this.#client = client
    this.#ledger = ledger
    this.#repository = repository
    this.#base = base
  }

  async run(): Promise<void> {
    for (let serial = 0; ; serial++) {
      try {
        await this.#pushImage(serial)
      } catch (error) {
        if (isGone(error)) return
        this.#ledger.surprises.push(`${this.#repository}: ${error instanceof Error ? error.message : String(error)}`)
        return
      }
    }
  }

  async #pushImage(serial: number): Promise<void> {
    const layers = [this.#base, makeContent(randomBytes(layerSize())), makeContent(randomBytes(layerSize()))]
    const config = makeContent(Buffer.from(JSON.stringify({ serial, repository: this.#repository, rootfs: {} })))
    const mounted =
      randomInt(10) === 0 ? this.#ledger.blobs.at(randomInt(Math.max(1, this.#ledger.blobs.length))) : undefined
    for (const layer of [...layers, config]) await this.#pushBlob(layer)
    const descriptors = layers.map(({ bytes, digest }) => layerDescriptor(digest, bytes.byteLength))
    if (mounted !== undefined) {
      await this.#mount(mounted.digest, mounted.repository, mounted.size)
      descriptors.push(layerDescriptor(mounted.digest, mounted.size))
    }
    const manifest = makeContent(
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MANIFEST_TYPE,
          config: {
            mediaType: 'application/vnd.oci.image.config.v1+json',
            digest: config.digest,
            size: config.bytes.byteLength,
          },
          layers: descriptors,
        }),
      ),
    )
    // A tag of its own that it moves every other time, and one over which all of a repository's pushers fight.
    await this.#putManifest(manifest, `own-${serial >> 1}`)
    await this.#putManifest(manifest, 'latest')
  }

  async #pushBlob(content: Content): Promise<void> {
    const started = expect(202, await this.#send('POST', `/v2/${this.#repository}/blobs/uploads/`))
    const upload: OpenUpload = {
      repository: this.#repository,
      digest: content.digest,
      content: content.bytes,
      location: locationOf(started),
      acknowledged: 0,
      finishing: false,
    }
    this.#ledger.uploads.add(upload)
    if (randomInt(5) === 0) await this.#sendChunks(upload)
    upload.finishing = true
    const rest = content.bytes.subarray(upload.acknowledged)
    expect(201, await this.#send('PUT', withDigest(upload.location, content.digest), { body: rest }))
    this.#ledger.uploads.delete(upload)
    this.#ledger.blobs.push({ repository: this.#repository, digest: content.digest, size: content.bytes.byteLength })
  }

  async #sendChunks(upload: OpenUpload): Promise<void> {
    const chunk = Math.ceil(upload.content.byteLength / randomInt(2, 5))
    // The last one is left for the request that finishes the upload, every other time.
    const end = randomInt(2) === 0 ? upload.content.byteLength : upload.content.byteLength - chunk
    while (upload.acknowledged < end) {
      const body = upload.content.subarray(upload.acknowledged, upload.acknowledged + chunk)
      const last = upload.acknowledged + body.byteLength - 1
      const headers = { 'content-range': `${upload.acknowledged}-${last}` }
      const answer = expect(202, await this.#send('PATCH', upload.location, { headers, body }))
      if (answer.headers.range !== `0-${last}`) throw new Error(`PATCH up to ${last} answered ${answer.headers.range}`)
      upload.location = locationOf(answer)
      upload.acknowledged = last + 1
    }
  }

  async #mount(digest: string, from: string, size: number): Promise<void> {
    const path = `/v2/${this.#repository}/blobs/uploads/?mount=${digest}&from=${from}`
    expect(201, await this.#send('POST', path))
    this.#ledger.blobs.push({ repository: this.#repository, digest, size })
  }

  async #send(method: string, target: string, request?: ClientRequest): Promise<ClientResponse> {
    const answer = await this.#client.send(method, target, request)
    this.#ledger.countAnswer()
    return answer
  }

  async #putManifest({ bytes, digest }: Content, tag: string): Promise<void> {
    const write = this.#ledger.beginTag(this.#repository, tag, digest)
    const headers = { 'content-type': MANIFEST_TYPE }
    const path = `/v2/${this.#repository}/manifests/${tag}`
    expect(201, await this.#send('PUT', path, { headers, body: bytes }))
    write.acknowledged = this.#ledger.now()
    this.#ledger.manifests.push({ repository: this.#repository, digest, content: bytes })
  }
}

export function locationOf({ headers }: ClientResponse): string {
  if (headers.location === undefined) throw new Error('an answer without Location')
  return headers.location
}

export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
}

/** 4 KiB to 1 MiB, small ones as often as large ones. */
function layerSize(): number {
  return Math.round(4096 * 256 ** Math.random())
}

function layerDescriptor(digest: string, size: number) {
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size }
}

function expect(status: number, answer: ClientResponse): ClientResponse {
  if (answer.status !== status) throw new Error(`expected ${status}, got ${answer.status}: ${answer.body.toString()}`)
  return answer
}

/** The connection broke, or could not be made. */
function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE'
}
