// Stands between clients and a server: notes every request, and can hold one answer in its middle.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { pipeline } from 'node:stream/promises'

/** Resolves to a {@link RecordingProxy} on a free loopback port. */
export async function startProxy(scope) {
  const proxy = new RecordingProxy()
  await proxy.listen()
  scope.onClose(() => proxy.close())
  return proxy
}

class RecordingProxy {
  /** `host:port` of the server; another one when it comes back elsewhere. While nothing listens there, connections break off. */
  target = '127.0.0.1:1'
  /** Each `{ method, path, ns, range }`, in the order in which they came. */
  requests = []
  #server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing))
  #holds = []
  #watchers = new Set()

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get host() {
    return `127.0.0.1:${this.#server.address().port}`
  }

  get url() {
    return `http://${this.host}`
  }

  close() {
    for (const hold of this.#holds) hold.release()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** What was asked for below `/v2/REPOSITORY/` with this method, sorted. */
  asked(method, repository) {
    const prefix = `/v2/${repository}/`
    const matching = this.requests.filter((one) => one.method === method && one.path.startsWith(prefix))
    return matching.map(({ path }) => path.slice(prefix.length)).sort()
  }

  /** Resolves when `count` requests have come for which `matches` holds. */
  async seen(count, matches) {
    while (this.requests.filter(matches).length < count) await new Promise((resolve) => this.#watchers.add(resolve))
  }

  /** The answer to the next GET of `path` stops after so many bytes: `{ reached, release }`. */
  hold(path, after) {
    const reached = withResolvers()
    const released = withResolvers()
    const hold = { path, after, reach: reached.resolve, released: released.promise, release: released.resolve }
    this.#holds.push(hold)
    return { reached: reached.promise, release: released.resolve }
  }

  #pass(incoming, outgoing) {
    const { method, headers } = incoming
    const { pathname: path, searchParams } = new URL(incoming.url, 'http://proxy')
    this.requests.push({ method, path, ns: searchParams.get('ns'), range: headers.range })
    for (const wake of this.#watchers) wake()
    this.#watchers.clear()
    const at = method === 'GET' ? this.#holds.findIndex((one) => one.path === path) : -1
    const [hold] = at === -1 ? [] : this.#holds.splice(at, 1)
    const [host, port] = this.target.split(':')
    const onward = request({
      ...{ host, port, method, path: incoming.url, agent: false },
      headers: { ...headers, connection: 'close' },
    })
    const breakOff = () => outgoing.destroy()
    onward.once('error', breakOff)
    onward.once('response', (answer) => {
      const { connection: _, 'keep-alive': __, ...kept } = answer.headers
      outgoing.writeHead(answer.statusCode, kept)
      pipeline(hold ? held(answer, hold) : answer, outgoing).catch(breakOff)
    })
    outgoing.once('close', () => onward.destroy())
    pipeline(incoming, onward).catch(breakOff)
  }
}

async function* held(body, { after, reach, released }) {
  let passed = 0
  for await (const chunk of body) {
    const room = after - passed
    passed += chunk.length
    if (room < 0 || room >= chunk.length) {
      yield chunk
      continue
    }
    yield chunk.subarray(0, room)
    reach()
    await released
    yield chunk.subarray(room)
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers() {
  let resolve
  const promise = new Promise((resolvePromise) => {
    resolve = resolvePromise
  })
  return { promise, resolve }
}
