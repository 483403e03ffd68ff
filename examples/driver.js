// @ts-check
// A storage driver of one's own, over anything that keeps bytes by key: a table of a database, say. Here it is a `Map`.
// `testStorageDriver` of `wharfage/testing` tells whether it does what a driver must.
import { Readable } from 'node:stream'
import { anyone, bytesBody, KeyNotFoundError, PreconditionFailedError, Registry, UploadTakenOverError } from 'wharfage'
import { createRegistryServer } from 'wharfage/node'

/** @typedef {import('wharfage').StorageDriver} StorageDriver */
/** @typedef {{ chunks: Buffer[], size: number, state: 'open' | 'sealed' | 'gone' }} Staged */

const SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9._+=-]{1,255}$/

/** @param {string} key @param {{ signal?: AbortSignal }} [options] */
function check(key, options) {
  if (!key.split('/').every((segment) => SEGMENT.test(segment))) throw new TypeError(`not a storage key: ${key}`)
  options?.signal?.throwIfAborted()
}

/** @implements {StorageDriver} */
export class TableDriver {
  name = 'table'
  /** @type {Map<string, { content: Buffer, stat: import('wharfage').ObjectStat }>} */
  #rows = new Map()
  /** @type {Map<string, Staged>} */
  #uploads = new Map()
  #writes = 0

  conditionalPuts = async () => true

  /** @type {StorageDriver['get']} */
  get = async (key, options) => {
    const { stat, content } = this.#find(key, options)
    return { stat, content: Buffer.from(content) }
  }

  /** @type {StorageDriver['put']} */
  put = async (key, content, options) => {
    check(key, options)
    this.#expect(key, options?.ifVersion)
    this.#store(key, Buffer.from(content))
  }

  /** @type {StorageDriver['read']} */
  read = async (key, options) => {
    const { stat, content } = this.#find(key, options)
    const { start = 0, end = stat.size } = options?.range ?? {}
    return { stat, body: bytesBody(content.subarray(start, Math.max(start, end))) }
  }

  /** @type {StorageDriver['stat']} */
  stat = async (key, options) => {
    check(key, options)
    return this.#rows.get(key)?.stat
  }

  /** @type {StorageDriver['list']} */
  async *list(prefix, { after = '', shallow = false, signal } = {}) {
    if (prefix !== '') check(prefix)
    signal?.throwIfAborted()
    const folder = prefix && `${prefix}/`
    /** @type {Map<string, import('wharfage').ListEntry>} */
    const entries = new Map()
    for (const [key, { stat }] of this.#rows) {
      const slash = shallow ? key.indexOf('/', folder.length) : -1
      if (!key.startsWith(folder)) continue
      if (slash >= 0) entries.set(key.slice(0, slash + 1), { key: key.slice(0, slash), isPrefix: true })
      else entries.set(key, { key, isPrefix: false, size: stat.size, modifiedAt: stat.modifiedAt })
    }
    for (const [place, entry] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) if (place > after) yield entry
  }

  /** @type {StorageDriver['delete']} */
  delete = async (key, options) => {
    check(key, options)
    this.#expect(key, options?.ifVersion)
    this.#rows.delete(key)
  }

  /** @type {StorageDriver['deletePrefix']} */
  deletePrefix = async (prefix, options) => {
    if (prefix !== '') check(prefix, options)
    const isBelow = (/** @type {string} */ key) => prefix === '' || key.startsWith(`${prefix}/`)
    for (const key of this.#rows.keys()) if (isBelow(key)) this.#rows.delete(key)
    for (const key of this.#uploads.keys()) if (isBelow(key)) this.#drop(key)
  }

  /** @type {StorageDriver['createUpload']} */
  createUpload = async (key, options) => {
    check(key, options)
    /** @type {Staged} */
    const staged = { chunks: [], size: 0, state: 'open' }
    this.#uploads.set(key, staged)
    return this.#handle(key, staged)
  }

  /** @type {StorageDriver['resumeUpload']} */
  resumeUpload = async (key, options) => {
    check(key, options)
    const staged = this.#uploads.get(key)
    if (staged === undefined) throw new KeyNotFoundError(key)
    return this.#handle(key, staged)
  }

  /** @param {string} key @param {Staged} staged @returns {import('wharfage').DriverUpload} */
  #handle(key, staged) {
    let { size } = staged
    let committed = ''
    const require = (/** @type {Staged['state'][]} */ ...states) => {
      if (staged.state === 'gone') throw new KeyNotFoundError(key)
      if (!states.includes(staged.state)) throw new UploadTakenOverError('the upload is being finished')
    }
    const seal = async () => {
      require('open', 'sealed')
      staged.state = 'sealed'
      return { size: staged.size, exclusive: true, read: async () => bytesBody(Buffer.concat(staged.chunks)) }
    }
    return {
      get size() {
        return size
      },
      append: async (content, { signal, observe } = {}) => {
        for await (const chunk of until(signal, content)) {
          require('open')
          if (size !== staged.size) throw new UploadTakenOverError('another request continued the upload')
          staged.chunks.push(Buffer.from(chunk))
          size = staged.size += chunk.byteLength
          observe?.(chunk)
        }
      },
      seal,
      commit: async (target) => {
        if (committed === target) return
        await seal()
        this.#store(target, Buffer.concat(staged.chunks))
        this.#drop(key)
        committed = target
      },
      discard: async (beside = []) => {
        this.#drop(key)
        for (const one of beside) this.#rows.delete(one)
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  /** @param {string} key @param {{ signal?: AbortSignal } | undefined} options */
  #find(key, options) {
    check(key, options)
    const row = this.#rows.get(key)
    if (row === undefined) throw new KeyNotFoundError(key)
    return row
  }

  /** @param {string} key @param {string | null | undefined} version */
  #expect(key, version) {
    if (version === undefined || (this.#rows.get(key)?.stat.version ?? null) === version) return
    throw new PreconditionFailedError(key)
  }

  /** @param {string} key @param {Buffer} content */
  #store(key, content) {
    const stat = { key, size: content.byteLength, modifiedAt: new Date(), version: String(++this.#writes) }
    this.#rows.set(key, { content, stat })
  }

  /** @param {string} key */
  #drop(key) {
    const staged = this.#uploads.get(key)
    if (staged !== undefined) Object.assign(staged, { state: 'gone', chunks: [] })
    this.#uploads.delete(key)
  }
}

/**
 * The chunks of a source until the signal aborts, also when it hangs. A stream is not destroyed: it may be a request that has
 * yet to be answered.
 *
 * @param {AbortSignal | undefined} signal
 * @param {import('wharfage').ByteSource} content
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* until(signal, content) {
  signal?.throwIfAborted()
  if (content instanceof Uint8Array) return yield content
  const kept = content instanceof Readable ? content.iterator({ destroyOnReturn: false }) : content
  const chunks = kept[Symbol.asyncIterator]()
  const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  aborted.catch(() => {})
  try {
    for (;;) {
      const { done, value } = await Promise.race([chunks.next(), /** @type {Promise<never>} */ (aborted)])
      if (done) return
      yield value
    }
  } finally {
    chunks.return?.()?.catch(() => {})
  }
}

// Imported by a test, it is the driver alone.
if (import.meta.url.endsWith(process.argv[1]?.split('/').at(-1) ?? '')) {
  const registry = new Registry({ storage: new TableDriver() })
  const server = createRegistryServer(registry, { access: anyone() })
  server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    console.log(`listening on http://127.0.0.1:${port}`)
  })
  process.once('SIGTERM', () => server.close(() => registry.close()))
}
