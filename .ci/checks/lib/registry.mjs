// Starts a registry on a free loopback port: this project's command, or Distribution's binary over the same directory.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('../../..', import.meta.url))
const command = join(project, JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')).bin.wharfage)

/**
 * `storage` is `memory:`, `file:DIR` or the URL of a bucket, as the command takes it; `args` go to `wharfage serve`.
 * Resolves to `{ kind, url, host, pid, output, stop }` once it accepts connections; `output()` is what it printed.
 *
 * WHARFAGE_CI_REGISTRY=distribution puts Distribution in the place of the registry under test, to see the checks fail.
 */
export function startRegistry(
  scope,
  { kind = process.env.WHARFAGE_CI_REGISTRY ?? 'wharfage', storage, args = [], env = process.env },
) {
  return kind === 'distribution' ? startDistribution(scope, storage) : startWharfage(scope, storage, args, env)
}

async function startWharfage(scope, storage, args, env) {
  const serve = [command, 'serve', '--listen', '127.0.0.1:0', '--storage', storage]
  const child = scope.spawn(process.execPath, [...serve, ...args], { env })
  const [, host] = await child.waitFor(/listening on http:\/\/(127\.0\.0\.1:\d+)/)
  return {
    kind: 'wharfage',
    host,
    url: `http://${host}`,
    pid: child.pid,
    output: () => child.output,
    async stop() {
      const { code, signal } = await child.stop()
      if (code !== 0)
        throw new Error(`wharfage serve ended with ${code ?? signal} after SIGTERM:\n${child.output.slice(-4000)}`)
    },
  }
}

async function startDistribution(scope, storage) {
  const config = await distributionConfig(scope, storage)
  const child = scope.spawn('registry', ['serve', config], { env: environmentWithout('REGISTRY_') })
  const [, host] = await child.waitFor(/listening on (127\.0\.0\.1:\d+)/)
  return {
    kind: 'distribution',
    host,
    url: `http://${host}`,
    pid: child.pid,
    output: () => child.output,
    async stop() {
      await child.stop()
    },
  }
}

/** Writes a configuration for Distribution over `storage` and resolves to its path; `http` is added to, the rest replaced. */
export async function distributionConfig(scope, storage, { http, ...more } = {}) {
  const path = join(await scope.tempDir('distribution'), 'config.json')
  const driver = distributionDriver(storage)
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    // Purging looks at the whole tree on its own schedule; a check must see only what it asked for.
    storage: { ...driver, delete: { enabled: true }, maintenance: { uploadpurging: { enabled: false } } },
    http: { addr: '127.0.0.1:0', secret: 'one secret for every turn', ...http },
    ...more,
  }
  await writeFile(path, JSON.stringify(config))
  return path
}

function distributionDriver(storage) {
  if (storage.startsWith('file:')) return { filesystem: { rootdirectory: storage.slice(5) } }
  if (!storage.startsWith('s3:')) return { inmemory: {} }
  const { host, pathname, searchParams } = new URL(storage)
  return {
    s3: {
      ...{ bucket: host, rootdirectory: pathname, regionendpoint: searchParams.get('endpoint') },
      ...{ region: 'us-east-1', forcepathstyle: true, secure: false },
    },
    redirect: { disable: true },
  }
}

/** Both servers and the conformance suite read settings from the environment: the caller's must not leak in. */
export function environmentWithout(prefix) {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith(prefix)))
}
