import { kindOf } from '../../arguments.ts'
import type { OperationContext } from '../../backend.ts'
import { type ResolvedUpstream, resolveUpstreams, type Upstream } from './upstream.ts'

/** Which upstream a repository belongs to, and what it is called on both sides. */
export interface Claim {
  readonly upstream: ResolvedUpstream
  /** There. */
  readonly remoteName: string
  /** Here: where it is kept. No two upstreams share one. */
  readonly localName: string
}

/** Decides by function, or leaves the decision to `ns` and to the names by answering `undefined`; one of those given, by identity. */
export type RouteUpstream = (repository: string, context: OperationContext) => Upstream | undefined

/** From a repository's name, and what came with the request, to the upstream that has it. */
export class Router {
  /** Longest prefix first. */
  readonly #upstreams: readonly ResolvedUpstream[]
  readonly #given: ReadonlyMap<Upstream, ResolvedUpstream>
  readonly #namespaces: ReadonlyMap<string, ResolvedUpstream>
  readonly #choose: RouteUpstream | undefined

  /** @throws `TypeError` */
  constructor(upstreams: readonly Upstream[], choose?: RouteUpstream) {
    const resolved = resolveUpstreams(upstreams)
    this.#given = new Map(upstreams.map((upstream, i) => [upstream, resolved[i] as ResolvedUpstream])) // made one from one
    this.#upstreams = [...resolved].sort((a, b) => b.prefix.length - a.prefix.length)
    this.#namespaces = new Map(resolved.flatMap((upstream) => upstream.namespaces.map((one) => [one, upstream])))
    this.#choose = choose
  }

  /** Whether every operation has to be asked about, and not just the name. */
  get dependsOnContext(): boolean {
    return this.#choose !== undefined || this.#namespaces.size > 0
  }

  /**
   * `undefined`: purely local. `'nobody'`: of a namespace that we were asked for and do not have; what lies here under that name is
   * something else.
   */
  route(repository: string, context: OperationContext = {}): Claim | 'nobody' | undefined {
    const chosen = this.#choose?.(repository, context)
    if (chosen !== undefined) {
      const upstream = this.#given.get(chosen)
      if (upstream === undefined) {
        throw new TypeError(`"route" must answer with one of the upstreams, or undefined, not ${kindOf(chosen)}`)
      }
      return repository.startsWith(upstream.prefix)
        ? this.#claim(upstream, repository.slice(upstream.prefix.length))
        : this.#remote(upstream, repository)
    }
    const { namespace } = context
    if (namespace !== undefined && this.#namespaces.size > 0) {
      const upstream = this.#namespaces.get(namespace)
      return upstream === undefined ? 'nobody' : this.#remote(upstream, repository)
    }
    const owner = this.#ownerOf(repository)
    return owner && this.#claim(owner, repository.slice(owner.prefix.length))
  }

  /** By the name that the upstream has for it. */
  #remote(upstream: ResolvedUpstream, name: string): Claim | 'nobody' {
    const { remotePrefix } = upstream
    if (!name.startsWith(remotePrefix) || name.length === remotePrefix.length) return 'nobody'
    return this.#claim(upstream, name.slice(remotePrefix.length))
  }

  #claim(upstream: ResolvedUpstream, rest: string): Claim | 'nobody' {
    const { prefix, remotePrefix, singleNames } = upstream
    const name = singleNames !== undefined && !rest.includes('/') ? `${singleNames}/${rest}` : rest
    const localName = prefix + name
    // Kept where another's repositories are, it would be taken for one of those.
    return this.#ownerOf(localName) === upstream ? { upstream, remoteName: remotePrefix + name, localName } : 'nobody'
  }

  #ownerOf(localName: string): ResolvedUpstream | undefined {
    return this.#upstreams.find(({ prefix }) => localName.startsWith(prefix) && localName.length > prefix.length)
  }
}
