// @ts-check
// What is measured: the scenarios, in the order in which one prepares the next.
import { createHash } from 'node:crypto'
import * as client from './client.js'
import { makeBlob } from './content.js'

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Blob} Blob */

/**
 * @typedef {object} Sizes
 * @property {number} bigBytes
 * @property {number} bigs large blobs pushed per scenario
 * @property {number} smalls small blobs
 * @property {number} reads operations of a scenario that only reads
 * @property {number} tags
 */

/**
 * Content of one round, the same for every server.
 *
 * @typedef {object} Round
 * @property {string} repository
 * @property {Sizes} sizes
 * @property {Record<'monolithic' | 'streamed' | 'chunked', Blob[]>} bigs
 * @property {Blob[]} smalls
 * @property {Blob[]} parts config and layer of every manifest
 * @property {Buffer[]} manifests
 * @property {string[]} digests of the manifests
 */

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {number} workers connections
 * @property {(round: Round) => number} operations
 * @property {(round: Round) => number} [bytes] per operation, where bytes are what it is about
 * @property {(connection: Connection, round: Round) => Promise<void>} [prepare] not timed
 * @property {(connection: Connection, round: Round, index: number) => Promise<void>} run
 * @property {(round: Round) => readonly Blob[]} [finishes] large blobs that no later scenario needs
 */

const SMALL_BYTES = 16 << 10
const CHUNK_BYTES = 8 << 20

/**
 * @param {number} scale 1: the default
 * @returns {Sizes}
 */
export function sizesFor(scale) {
  const scaled = (/** @type {number} */ count) => Math.max(1, Math.round(count * scale))
  return {
    bigBytes: (scale < 0.5 ? 32 : 128) << 20,
    bigs: scaled(4),
    smalls: scaled(600),
    reads: scaled(4000),
    tags: scaled(1500),
  }
}

/**
 * @param {Sizes} sizes
 * @param {number} seed
 * @returns {Round}
 */
export function makeRound(sizes, seed) {
  let next = seed * 1_000_000
  const blobs = (/** @type {number} */ count, /** @type {number} */ size) =>
    Array.from({ length: count }, () => makeBlob(next++, size))
  const parts = [...blobs(1, 2000), ...blobs(1, SMALL_BYTES)]
  const [config, ...layers] = parts
  const manifests =
    config === undefined
      ? []
      : Array.from({ length: sizes.tags }, (_, i) => client.makeManifest(config, layers, seed * 1e6 + i))
  return {
    repository: `bench/r${seed}`,
    sizes,
    bigs: {
      monolithic: blobs(sizes.bigs, sizes.bigBytes),
      streamed: blobs(sizes.bigs, sizes.bigBytes),
      chunked: blobs(1, sizes.bigBytes),
    },
    smalls: blobs(sizes.smalls, SMALL_BYTES),
    parts,
    manifests,
    digests: manifests.map((content) => `sha256:${createHash('sha256').update(content).digest('hex')}`),
  }
}

/** @type {readonly Scenario[]} */
export const SCENARIOS = [
  {
    name: 'push-mono-big',
    workers: 2,
    operations: ({ bigs }) => bigs.monolithic.length,
    bytes: ({ sizes }) => sizes.bigBytes,
    run: (connection, { repository, bigs }, i) => client.pushMonolithic(connection, repository, at(bigs.monolithic, i)),
  },
  {
    name: 'pull-big',
    workers: 2,
    operations: ({ bigs }) => bigs.monolithic.length * 4,
    bytes: ({ sizes }) => sizes.bigBytes,
    run: (connection, { repository, bigs }, i) => client.pullBlob(connection, repository, at(bigs.monolithic, i)),
    finishes: ({ bigs }) => bigs.monolithic,
  },
  {
    name: 'push-stream-big',
    workers: 2,
    operations: ({ bigs }) => bigs.streamed.length,
    bytes: ({ sizes }) => sizes.bigBytes,
    run: (connection, { repository, bigs }, i) => client.pushStreamed(connection, repository, at(bigs.streamed, i)),
    finishes: ({ bigs }) => bigs.streamed,
  },
  {
    name: 'push-chunks-big',
    workers: 1,
    operations: ({ bigs }) => bigs.chunked.length,
    bytes: ({ sizes }) => sizes.bigBytes,
    run: (connection, { repository, bigs }, i) =>
      client.pushChunked(connection, repository, at(bigs.chunked, i), CHUNK_BYTES),
    finishes: ({ bigs }) => bigs.chunked,
  },
  {
    name: 'push-small',
    workers: 8,
    operations: ({ smalls }) => smalls.length,
    bytes: () => SMALL_BYTES,
    run: (connection, { repository, smalls }, i) => client.pushMonolithic(connection, repository, at(smalls, i)),
  },
  {
    name: 'pull-small',
    workers: 8,
    operations: ({ sizes }) => sizes.reads,
    bytes: () => SMALL_BYTES,
    run: (connection, { repository, smalls }, i) => client.pullBlob(connection, repository, at(smalls, i)),
  },
  {
    name: 'head-blob',
    workers: 8,
    operations: ({ sizes }) => sizes.reads,
    run: (connection, { repository, smalls }, i) => client.headBlob(connection, repository, at(smalls, i)),
  },
  {
    name: 'mount',
    workers: 8,
    operations: ({ smalls }) => smalls.length,
    run: (connection, { repository, smalls }, i) =>
      client.mountBlob(connection, `${repository}-mounted`, repository, at(smalls, i)),
  },
  {
    name: 'put-manifest',
    workers: 8,
    operations: ({ manifests }) => manifests.length,
    prepare: async (connection, { repository, parts }) => {
      for (const part of parts) await client.pushMonolithic(connection, repository, part)
    },
    run: (connection, { repository, manifests }, i) =>
      client.putManifest(connection, repository, tagOf(i), at(manifests, i)),
  },
  {
    name: 'get-manifest-tag',
    workers: 8,
    operations: ({ sizes }) => sizes.reads,
    run: (connection, { repository, sizes }, i) => client.getManifest(connection, repository, tagOf(i % sizes.tags)),
  },
  {
    name: 'get-manifest-digest',
    workers: 8,
    operations: ({ sizes }) => sizes.reads,
    run: (connection, { repository, digests }, i) => client.getManifest(connection, repository, at(digests, i)),
  },
  {
    name: 'tags-list',
    workers: 1,
    operations: () => 20,
    run: (connection, { repository }) => client.listTags(connection, repository),
  },
  {
    name: 'tags-page',
    workers: 1,
    operations: () => 20,
    run: (connection, { repository, sizes }, i) =>
      client.listTags(connection, repository, `?n=100&last=${tagOf(Math.floor((i * sizes.tags) / 20))}`),
  },
]

/** @param {number} index */
function tagOf(index) {
  return `v${String(index).padStart(6, '0')}`
}

/**
 * Round and round.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {number} index
 */
function at(items, index) {
  const item = items[index % items.length]
  if (item === undefined) throw new RangeError('nothing to choose from')
  return item
}
