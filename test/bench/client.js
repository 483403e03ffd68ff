// @ts-check
// What clients do, in terms of requests: each function rejects on any status but the one it must be.
import { chunksOf } from './content.js'

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./connection.js').Answer} Answer */
/** @typedef {import('./content.js').Blob} Blob */

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const OCTETS = 'content-type: application/octet-stream\r\n'
const ACCEPT = `accept: ${MANIFEST_TYPE}\r\n`

/**
 * POST, then PUT with everything: containerd, BuildKit, oras, regctl.
 *
 * @param {Connection} connection
 * @param {string} repository
 * @param {Blob} blob
 */
export async function pushMonolithic(connection, repository, blob) {
  const upload = await startUpload(connection, repository)
  const path = withDigest(upload, blob)
  expect(201, await connection.request('PUT', path, OCTETS, { size: blob.size, chunks: chunksOf(blob) }))
}

/**
 * POST, one streamed PATCH, an empty PUT: Docker.
 *
 * @param {Connection} connection
 * @param {string} repository
 * @param {Blob} blob
 */
export async function pushStreamed(connection, repository, blob) {
  const upload = await startUpload(connection, repository)
  const patched = await connection.request('PATCH', upload, OCTETS, { size: blob.size, chunks: chunksOf(blob) })
  expect(201, await connection.request('PUT', withDigest(locationOf(expect(202, patched)), blob)))
}

/**
 * POST, PATCHes with `Content-Range`, an empty PUT.
 *
 * @param {Connection} connection
 * @param {string} repository
 * @param {Blob} blob
 * @param {number} chunkBytes
 */
export async function pushChunked(connection, repository, blob, chunkBytes) {
  let upload = await startUpload(connection, repository)
  for (let start = 0; start < blob.size; start += chunkBytes) {
    const end = Math.min(start + chunkBytes, blob.size)
    const headers = `${OCTETS}content-range: ${start}-${end - 1}\r\n`
    const body = { size: end - start, chunks: chunksOf(blob, start, end) }
    upload = locationOf(expect(202, await connection.request('PATCH', upload, headers, body)))
  }
  expect(201, await connection.request('PUT', withDigest(upload, blob)))
}

/**
 * @param {Connection} connection
 * @param {string} repository
 * @param {Blob} blob
 */
export async function pullBlob(connection, repository, blob) {
  const { bytes } = expect(200, await connection.request('GET', `/v2/${repository}/blobs/${blob.digest}`))
  if (bytes !== blob.size) throw new Error(`a blob of ${blob.size} bytes came with ${bytes}`)
}

/**
 * @param {Connection} connection
 * @param {string} repository
 * @param {Blob} blob
 */
export async function headBlob(connection, repository, blob) {
  expect(200, await connection.request('HEAD', `/v2/${repository}/blobs/${blob.digest}`))
}

/**
 * @param {Connection} connection
 * @param {string} repository
 * @param {string} from
 * @param {Blob} blob
 */
export async function mountBlob(connection, repository, from, blob) {
  const path = `/v2/${repository}/blobs/uploads/?mount=${blob.digest}&from=${encodeURIComponent(from)}`
  expect(201, await connection.request('POST', path))
}

/**
 * @param {Connection} connection
 * @param {string} repository
 * @param {string} reference
 * @param {Uint8Array} content
 */
export async function putManifest(connection, repository, reference, content) {
  const path = `/v2/${repository}/manifests/${reference}`
  const body = { size: content.length, chunks: [content] }
  expect(201, await connection.request('PUT', path, `content-type: ${MANIFEST_TYPE}\r\n`, body))
}

/**
 * @param {Connection} connection
 * @param {string} repository
 * @param {string} reference
 */
export async function getManifest(connection, repository, reference) {
  expect(200, await connection.request('GET', `/v2/${repository}/manifests/${reference}`, ACCEPT))
}

/**
 * @param {Connection} connection
 * @param {string} repository
 * @param {string} [query]
 */
export async function listTags(connection, repository, query = '') {
  expect(200, await connection.request('GET', `/v2/${repository}/tags/list${query}`))
}

/**
 * @param {Blob} config
 * @param {readonly Blob[]} layers
 * @param {number} serial makes it differ from the others
 */
export function makeManifest(config, layers, serial) {
  const describe = (/** @type {string} */ mediaType, /** @type {Blob} */ { digest, size }) => ({
    mediaType,
    digest,
    size,
  })
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: describe('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => describe('application/vnd.oci.image.layer.v1.tar+gzip', layer)),
      annotations: { serial: String(serial) },
    }),
  )
}

/**
 * @param {Connection} connection
 * @param {string} repository
 */
async function startUpload(connection, repository) {
  return locationOf(expect(202, await connection.request('POST', `/v2/${repository}/blobs/uploads/`)))
}

/**
 * @param {string} location
 * @param {Blob} blob
 */
function withDigest(location, blob) {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(blob.digest)}`
}

/** @param {Answer} answer */
function locationOf({ location }) {
  if (location === undefined) throw new Error('an answer without Location')
  // Distribution's is absolute.
  return location.startsWith('/') ? location : location.slice(location.indexOf('/', location.indexOf('://') + 3))
}

/**
 * @param {number} status
 * @param {Answer} answer
 */
function expect(status, answer) {
  if (answer.status !== status) throw new Error(`answered ${answer.status}, not ${status}`)
  return answer
}
