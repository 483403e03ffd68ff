// @ts-check
// A storage driver of one's own, over anything that keeps bytes by key: a table of a database, say. Here it is a `Map`.
// `testStorageDriver` of `wharfage/testing` tells whether it does what a driver must.
import {
  anyone,
  bytesBody,
  checkStorageKey,
  KeyNotFoundError,
  PreconditionFailedError,
  Registry,
  uploadsInPieces,
} from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

/** @typedef {import('wharfage').StorageDriver} StorageDriver */
/** @typedef {{ content: Buffer, stat: import('wharfage').ObjectStat }} Row */

/** @returns {StorageDriver} */
export function tableDriver() {
  /** @type {Map<string, Row>} */
  const rows = new Map()
  let writes = 0
  /** @param {string} key @param {{ signal?: AbortSignal, ifVersion?: string | null }} [options] */
  function look(key, { signal, ifVersion } = {}) {
    checkStorageKey(key)
    signal?.throwIfAborted()
    const row = rows.get(key)
    if (ifVersion !== undefined && (row?.stat.version ?? null) !== ifVersion) throw new PreconditionFailedError(key)
    return row
  }
  /** @param {string} key @param {{ signal?: AbortSignal }} [options] */
  function find(key, options) {
    const row = look(key, options)
    if (row === undefined) throw new KeyNotFoundError(key)
    return row
  }
  /** @param {string} key @param {Buffer} content */
  function write(key, content) {
    const stat = { key, size: content.byteLength, modifiedAt: new Date(), version: String(++writes) }
    rows.set(key, { stat, content })
  }
  /** @type {Omit<StorageDriver, 'createUpload' | 'resumeUpload'>} */
  const table = {
    name: 'table',
    conditionalPuts: async () => true,
    get: async (key, options) => ({ ...find(key, options), content: Buffer.from(find(key).content) }),
    put: async (key, content, options) => {
      look(key, options)
      write(key, Buffer.from(content))
    },
    stat: async (key, options) => look(key, options)?.stat,
    delete: async (key, options) => {
      look(key, options)
      rows.delete(key)
    },
    read: async (key, options) => {
      const { stat, content } = find(key, options)
      const { start = 0, end = stat.size } = options?.range ?? {}
      return { stat, body: bytesBody(content.subarray(start, Math.max(start, end))) }
    },
    async *list(prefix, { after = '', shallow = false, signal } = {}) {
      if (prefix !== '') look(prefix)
      signal?.throwIfAborted()
      const folder = prefix && `${prefix}/`
      /** @type {Map<string, import('wharfage').ListEntry>} */
      const found = new Map()
      for (const [key, { stat }] of rows) {
        const slash = shallow ? key.indexOf('/', folder.length) : -1
        if (!key.startsWith(folder)) continue
        if (slash >= 0) found.set(key.slice(0, slash + 1), { key: key.slice(0, slash), isPrefix: true })
        else found.set(key, { ...stat, isPrefix: false })
      }
      for (const [place, entry] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) if (place > after) yield entry
    },
    deletePrefix: async (prefix, options) => {
      for await (const { key } of table.list(prefix, options)) rows.delete(key)
    },
  }
  const assemble = async (/** @type {readonly string[]} */ sources, /** @type {string} */ target) =>
    write(target, Buffer.concat(sources.map((key) => find(key).content)))
  return { ...table, ...uploadsInPieces({ ...table, assemble }) }
}

// Imported by a test, it is the driver alone.
if (import.meta.url.endsWith(process.argv[1]?.split('/').at(-1) ?? '')) {
  const registry = new Registry({ storage: tableDriver() })
  const server = createRegistryServer(registry, { access: anyone() })
  server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    console.log(`listening on http://127.0.0.1:${port}`)
  })
  process.once('SIGTERM', () => server.close(() => registry.close()))
}
