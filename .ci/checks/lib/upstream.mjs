// Distribution as the upstream of a cache: over a directory, so that it can be killed and come back, and behind a proxy that counts.
import { once } from 'node:events'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { startProxy } from './recording-proxy.mjs'
import { distributionConfig, environmentWithout } from './registry.mjs'
import { Wire } from './wire.mjs'

/** Resolves to `{ url, proxy, wire, put, start, kill }`; `url` stays while the registry behind it comes and goes. */
export async function startUpstream(scope) {
  const config = await distributionConfig(scope, `file:${await scope.tempDir('upstream')}`)
  const proxy = await startProxy(scope)
  let child
  const start = async () => {
    child = scope.spawn('registry', ['serve', config], { env: environmentWithout('REGISTRY_') })
    const [, host] = await child.waitFor(/listening on (127\.0\.0\.1:\d+)/)
    proxy.target = host
  }
  await start()
  return {
    url: proxy.url,
    proxy,
    /** Past the proxy: what is put there is not counted. */
    wire: () => new Wire(`http://${proxy.target}`),
    put: (repository, digest, size, content) => put(`http://${proxy.target}`, repository, digest, size, content),
    start,
    /** SIGKILL. */
    async kill() {
      child.kill()
      await child.exited
    },
  }
}

/** A blob of any size, `content` an iterable of its chunks. */
async function put(base, repository, digest, size, content) {
  const location = new URL(await new Wire(base).beginUpload(repository), base)
  location.searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream', 'content-length': size }
  const outgoing = request(location, { method: 'PUT', headers })
  const answered = once(outgoing, 'response')
  const [[answer]] = await Promise.all([answered, pipeline(Readable.from(content, { highWaterMark: 2 }), outgoing)])
  answer.resume()
  if (answer.statusCode !== 201) throw new Error(`PUT ${location}: ${answer.statusCode}`)
}
