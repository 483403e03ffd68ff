// Docker's engine and containerd, each with a root and a socket of its own.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attempt, run } from './run.mjs'

// The paths are those of Debian's package: another client may come first on PATH.
const client = '/usr/bin/docker'
const engine = '/usr/sbin/dockerd'

/** Resolves to `docker(...args)`, the client of an engine below `dir`; `flags` and `variables` are for the engine alone. */
export async function startEngine(scope, dir, { flags = [], variables = {} } = {}) {
  const socket = `unix://${join(dir, 'docker.sock')}`
  const isolated = ['--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs']
  const own = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '-H', socket, '-p', join(dir, 'pid')]
  const daemon = scope.spawn(engine, [...isolated, ...own, ...flags], { env: { ...process.env, ...variables } })
  await daemon.waitFor(/API listen on/, 60_000)
  const env = {
    ...process.env,
    DOCKER_HOST: socket,
    DOCKER_CONFIG: join(dir, 'config'),
    DOCKER_BUILDKIT: '0',
    DOCKER_CLI_EXPERIMENTAL: 'enabled',
  }
  const docker = (...args) => run(client, args, { env })
  docker.buildkit = (...args) => attempt(client, args, { env: { ...env, DOCKER_BUILDKIT: '1' } })
  docker.attempt = (...args) => attempt(client, args, { env })
  return docker
}

/** Resolves to `ctr(...args)`, the client of a containerd below `dir`. */
export async function startContainerd(scope, dir) {
  const socket = join(dir, 'containerd.sock')
  const config = join(dir, 'config.toml')
  const lines = [
    'version = 2',
    `root = "${join(dir, 'root')}"`,
    `state = "${join(dir, 'state')}"`,
    // The Kubernetes plugin wants a network that is not there.
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `grpc = { address = "${socket}" }`,
  ]
  await writeFile(config, `${lines.join('\n')}\n`)
  const daemon = scope.spawn('/usr/bin/containerd', ['--config', config])
  await daemon.waitFor(/containerd successfully booted/)
  return (...args) => run('/usr/bin/ctr', ['--address', socket, ...args])
}
