// Registries that nobody here wrote, each on a free loopback port.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { distributionConfig, environmentWithout } from './registry.mjs'

/** A password's hash as Distribution takes it, bcrypt alone: of `secret`. */
const HTPASSWD = 'bob:$2a$05$22NDobXelsnfxbeczt0jA.dPl1uFuvoRoumQmvCjrSkZatIOR83Ki\n'
export const BOB = { username: 'bob', password: 'secret' }

/** Resolves to `{ url, host }`. `auth` and `tls` go into Distribution's configuration. It lists ten tags at a time. */
export async function startDistribution(scope, { auth, tls } = {}) {
  const path = await distributionConfig(scope, 'memory:', {
    ...(auth && { auth }),
    tags: { maxtags: 10 },
    http: tls ? { tls } : {},
  })
  const child = scope.spawn('registry', ['serve', path], { env: environmentWithout('REGISTRY_') })
  const [, host] = await child.waitFor(/listening on (127\.0\.0\.1:\d+)/)
  return { url: `${tls ? 'https' : 'http'}://${host}`, host }
}

/**
 * go-containerregistry's, as its command. It refuses `bytes=N-`, has no request for how far an upload is, mounts nothing and lists
 * repositories in no order.
 */
export async function startCraneRegistry(scope) {
  const child = scope.spawn('crane-registry', ['-port', '0'])
  const [, port] = await child.waitFor(/serving on port (\d+)/)
  // It listens on `localhost`, which need not be 127.0.0.1.
  const host = `localhost:${port}`
  return { url: `http://${host}`, host, hasOpenRanges: false, tellsUploads: false, mounts: false, hasOrder: false }
}

/** cue-labs', in the program beside these checks. */
export async function startOciregistry(scope) {
  const child = scope.spawn('ociregistry', [])
  const [, host] = await child.waitFor(/listening on (127\.0\.0\.1:\d+)/)
  return { url: `http://${host}`, host }
}

/** Distribution's `auth` for {@link BOB} alone. */
export async function passwords(scope) {
  const path = join(await scope.tempDir('htpasswd'), 'htpasswd')
  await writeFile(path, HTPASSWD)
  return { htpasswd: { realm: 'ci', path } }
}

/** A certificate for 127.0.0.1 by an authority of our own: `{ ca, tls }`, where `tls` goes into Distribution's `http`. */
export async function certificates(scope) {
  const dir = await scope.tempDir('tls')
  const authority = await generate([{ name: 'commonName', value: 'wharfage ci' }], {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
    ...{ algorithm: 'sha256', keySize: 2048 },
  })
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    ...{ algorithm: 'sha256', keySize: 2048, ca: { cert: authority.cert, key: authority.private } },
  })
  await writeFile(join(dir, 'cert.pem'), cert)
  await writeFile(join(dir, 'key.pem'), key)
  return { ca: authority.cert, tls: { certificate: join(dir, 'cert.pem'), key: join(dir, 'key.pem') } }
}
