// Requests in the exact form that a comparison of two servers needs: one call, one way to push.
import { readFile } from 'node:fs/promises'
import { blobPath, digestOf, mediaTypes, readJson } from './layout.mjs'

const accept = [
  mediaTypes.manifest,
  mediaTypes.index,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ')

/** Talks to one registry. Every method rejects when the status is not the one the method is for. */
export class Wire {
  constructor(url) {
    this.url = url
  }

  async request(method, path, { status, body, headers, query = {} } = {}) {
    const url = new URL(path, this.url)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const response = await fetch(url, { method, body, headers, redirect: 'error' })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (status !== undefined && response.status !== status) {
      throw new Error(`${method} ${path}: ${response.status}, expected ${status}: ${bytes.subarray(0, 500)}`)
    }
    return { status: response.status, headers: response.headers, bytes }
  }

  /** Opens an upload and resolves to its location, a path. */
  async beginUpload(repository) {
    const { headers } = await this.request('POST', `/v2/${repository}/blobs/uploads/`, { status: 202 })
    return pathOf(headers.get('location'))
  }

  /** Sends `bytes` from offset `at` and resolves to the next location. */
  async patch(location, bytes, at) {
    const headers = { 'content-type': 'application/octet-stream' }
    if (at !== undefined) headers['content-range'] = `${at}-${at + bytes.length - 1}`
    const answer = await this.request('PATCH', location, { status: 202, headers, body: bytes })
    return pathOf(answer.headers.get('location'))
  }

  /** POST, then PUT with everything. */
  async putBlob(repository, bytes, digest = digestOf(bytes)) {
    const location = await this.beginUpload(repository)
    const headers = { 'content-type': 'application/octet-stream' }
    await this.request('PUT', location, { status: 201, headers, body: bytes, query: { digest } })
    return digest
  }

  /** POST, then a PATCH for each of `chunks` (with ranges when there are several), then an empty PUT. */
  async patchBlob(repository, chunks) {
    let location = await this.beginUpload(repository)
    let at = 0
    for (const chunk of chunks) {
      location = await this.patch(location, chunk, chunks.length > 1 ? at : undefined)
      at += chunk.length
    }
    const digest = digestOf(Buffer.concat(chunks))
    await this.request('PUT', location, { status: 201, query: { digest } })
    return digest
  }

  async mount(repository, from, digest) {
    await this.request('POST', `/v2/${repository}/blobs/uploads/`, { status: 201, query: { mount: digest, from } })
  }

  async putManifest(repository, reference, bytes, mediaType) {
    const headers = { 'content-type': mediaType }
    await this.request('PUT', `/v2/${repository}/manifests/${reference}`, { status: 201, headers, body: bytes })
    return digestOf(bytes)
  }

  /** Pushes an image or index of a layout with all it needs, the way clients do: children first. */
  async push(repository, reference, layout, { digest, mediaType }) {
    const { manifests = [], config, layers = [] } = await readJson(layout.dir, digest)
    for (const child of manifests) await this.push(repository, child.digest, layout, child)
    for (const child of [...layers, ...(config ? [config] : [])]) {
      await this.putBlob(repository, await readFile(blobPath(layout.dir, child.digest)))
    }
    await this.putManifest(repository, reference, await readFile(blobPath(layout.dir, digest)), mediaType)
  }

  delete(path) {
    return this.request('DELETE', path, { status: 202 })
  }

  getManifest(repository, reference) {
    return this.request('GET', `/v2/${repository}/manifests/${reference}`, { headers: { accept } })
  }

  getBlob(repository, digest) {
    return this.request('GET', `/v2/${repository}/blobs/${digest}`)
  }

  async catalog() {
    return JSON.parse((await this.request('GET', '/v2/_catalog?n=1000', { status: 200 })).bytes).repositories
  }

  /** Undefined where the registry does not know the repository. */
  async tags(repository) {
    const { status, bytes } = await this.request('GET', `/v2/${repository}/tags/list`)
    return status === 404 ? undefined : (JSON.parse(bytes).tags ?? [])
  }
}

/** Without the host: Distribution names one, and the next turn is on another port. */
function pathOf(location) {
  const { pathname, search } = new URL(location, 'http://localhost')
  return pathname + search
}
