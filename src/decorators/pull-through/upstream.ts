import { kindOf } from '../../arguments.ts'
import type { Backend } from '../../backend.ts'
import { isRepositoryName } from '../../spec/name.ts'

/** A registry whose images are pulled through this one. */
export interface Upstream {
  /** How it is called in errors, events and, unless `prefix` says otherwise, in the names of its repositories here: `docker.io`. */
  readonly name: string
  /** Where its images are: a `RemoteBackend`, or any other. It is not connected to before somebody pulls, and stays yours to close. */
  readonly backend: Backend
  /**
   * What its repositories begin with here, and are kept under: with `docker.io/`, `docker.io/grafana/loki` is its `grafana/loki`.
   * `''` makes it the one for every repository that no other has. Default: its name and a slash.
   */
  readonly prefix?: string
  /** What stands in place of `prefix` there: `docker.io/` again to leave the name as it is, `mirror/` to look there. Default: nothing. */
  readonly remotePrefix?: string
  /**
   * Values of containerd's `?ns=` for which it answers: with `docker.io`, a request for `grafana/loki` that comes with `ns=docker.io`
   * is one for its `grafana/loki`. Access is decided by the name in the request, without them. Default: none, `ns` is ignored.
   */
  readonly namespaces?: readonly string[]
  /** Where it keeps the repositories that have a name of one part. Default: `library` where the upstream is called `docker.io`, else nowhere. */
  readonly singleNames?: string
}

/** An {@link Upstream} with its defaults. */
export type ResolvedUpstream = Required<Omit<Upstream, 'singleNames'>> & { readonly singleNames: string | undefined }

const NAMES = ['name', 'backend', 'prefix', 'remotePrefix', 'namespaces', 'singleNames']

/** @throws `TypeError` for what cannot be an upstream, or two that claim the same names */
export function resolveUpstreams(upstreams: readonly Upstream[]): readonly ResolvedUpstream[] {
  if (!Array.isArray(upstreams)) {
    throw new TypeError(
      `pullThrough() takes a list of upstreams, [{ name: 'docker.io', backend }] say, not ${kindOf(upstreams)}`,
    )
  }
  const resolved = upstreams.map(resolve)
  for (const key of ['name', 'prefix'] as const) refuseTwice(resolved.map((upstream) => upstream[key]).sort(), key)
  refuseTwice(resolved.flatMap(({ namespaces }) => namespaces).sort(), 'namespace')
  return resolved
}

function resolve(upstream: Upstream): ResolvedUpstream {
  const { name, backend, namespaces = [] } = upstream ?? {}
  if (typeof name !== 'string' || name === '') throw new TypeError('an upstream needs a name, "docker.io" say')
  const unknown = Object.keys(upstream).find((key) => !NAMES.includes(key))
  if (unknown !== undefined) {
    throw new TypeError(`the upstream ${name} has no option "${unknown}": there are ${NAMES.join(', ')}`)
  }
  if (typeof backend?.repository !== 'function') {
    throw new TypeError(`the backend of the upstream ${name} must be a backend, not ${kindOf(backend)}`)
  }
  if (!Array.isArray(namespaces) || !namespaces.every((one) => typeof one === 'string' && one !== '')) {
    throw new TypeError(`the namespaces of the upstream ${name} must be a list of hosts, ['docker.io'] say`)
  }
  const singleNames = upstream.singleNames ?? (name === 'docker.io' ? 'library' : '')
  return {
    name,
    backend,
    prefix: checkPrefix(name, 'prefix', upstream.prefix ?? `${name}/`),
    remotePrefix: checkPrefix(name, 'remotePrefix', upstream.remotePrefix ?? ''),
    namespaces,
    singleNames: singleNames === '' ? undefined : checkPrefix(name, 'singleNames', `${singleNames}/`).slice(0, -1),
  }
}

function checkPrefix(upstream: string, option: string, prefix: string): string {
  if (prefix === '' || (typeof prefix === 'string' && prefix.endsWith('/') && isRepositoryName(prefix.slice(0, -1)))) {
    return prefix
  }
  throw new TypeError(
    `the ${option} of the upstream ${upstream} must be a repository name and a slash, 'docker.io/' say, not ${kindOf(prefix)}`,
  )
}

function refuseTwice(sorted: readonly string[], what: string): void {
  const twice = sorted.find((value, i) => value === sorted[i + 1])
  if (twice !== undefined) throw new TypeError(`two upstreams have the same ${what}: ${JSON.stringify(twice)}`)
}
