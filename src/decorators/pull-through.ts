import { tmpdir } from 'node:os'
import { checkAmount, checkChoice, checkOptions } from '../arguments.ts'
import type { Backend, Decorator, OperationContext, Repository } from '../backend.ts'
import { consoleLogger, type Logger } from '../logger.ts'
import { expose } from './expose.ts'
import { ClaimedRepository } from './pull-through/claimed-repository.ts'
import { PullThroughCore } from './pull-through/core.ts'
import { ManifestSource } from './pull-through/manifest-source.ts'
import { routedRepository } from './pull-through/routed-repository.ts'
import { Router, type RouteUpstream } from './pull-through/router.ts'
import { type PullThroughEvent, type PullThroughStats, Statistics } from './pull-through/stats.ts'
import { type PullThroughState, Storekeeper } from './pull-through/storekeeper.ts'
import { TagFreshness } from './pull-through/tag-freshness.ts'
import { TagLookup } from './pull-through/tag-lookup.ts'
import type { Upstream } from './pull-through/upstream.ts'
import { UpstreamCalls } from './pull-through/upstream-calls.ts'
import { hiddenRepository } from './select.ts'

export interface PullThroughOptions {
  /**
   * Where what upstreams have is kept. It must take a manifest before its layers: a registry with `sparse: 'all'`. Default: the
   * backend that is decorated, which then has to be such a one; a second registry over the same storage lets pushes be held to more.
   */
  readonly cache?: Backend
  /** Decides, before `ns` and names do, which upstream an operation is for; `undefined` leaves it to those. */
  readonly route?: RouteUpstream
  /** For how long a tag is served without asking its upstream where it points now, in milliseconds. Default: 1 minute. */
  readonly tagTtlMs?: number
  /** For how long, in milliseconds, a tag is served that its upstream could not tell about since. Default: without end. */
  readonly maxStaleMs?: number
  /** How long an upstream may take to tell where a tag points before what is kept is served instead, in milliseconds. Default: 5 seconds. */
  readonly patienceMs?: number
  /** For how long "not found" is believed, in milliseconds. Default: 5 seconds. */
  readonly negativeTtlMs?: number
  /**
   * Bytes that may be kept. The least recently used go first, a manifest before the layers that it needs. What they took up is free
   * when it is collected: to evict is to unlink. Default: no limit.
   */
  readonly maxBytes?: number
  /** Where it is written down what was brought in, so that it can be evicted in a later run, and told from what was pushed. Default: nowhere. */
  readonly state?: PullThroughState
  /** Whether repositories of upstreams can be pushed to: `'refuse'`, or `'local'` to keep it here, before the upstream's. Default: `'refuse'`. */
  readonly writes?: 'refuse' | 'local'
  /** Where a blob is while it arrives, as a file without a name. Default: the system's directory for temporary files. */
  readonly spoolDirectory?: string
  /** For how long a blob goes on arriving after all who pulled it have left, in milliseconds. Default: 1 minute. */
  readonly abandonedFillMs?: number
  /**
   * Some bytes of a blob that is not here are asked of the upstream as they are, and not kept (`'pass'`), or the whole is fetched
   * as well, for next time (`'fill'`). Default: `'pass'`.
   */
  readonly rangeMiss?: 'pass' | 'fill'
  /** Called with everything that {@link PullThrough.stats} counts, as it happens; must not take long. */
  readonly onEvent?: (event: PullThroughEvent) => void
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
}

/** The decorator, and what there is to know of its work. */
export interface PullThrough extends Decorator {
  /** Counts since it was made. */
  stats(): PullThroughStats
  /** Ends what is being fetched, and writes down what was brought in. Upstreams stay open: they are yours. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Images of other registries, fetched when they are first pulled and kept. A repository is an upstream's by its prefix, by the
 * `ns` of the request, or as `route` decides; any other is what it was. Access to both is decided by the same names, before this.
 *
 * Nothing is asked of an upstream before somebody pulls. What is here by its digest is served without asking; a tag is looked up when
 * it has not been for `tagTtlMs`, and served as it was while the upstream is down, busy or broken. A blob that many want at once is
 * fetched once, verified before it is kept, and breaks off when it is not what it should be. URLs in manifests are never followed.
 *
 * @example
 * const cache = pullThrough([{ name: 'docker.io', backend: hub, namespaces: ['docker.io'] }])
 * const registry = new Registry({ storage, sparse: 'all', use: [cache] })
 * @throws `TypeError` for upstreams or options that make no sense
 */
export function pullThrough(upstreams: readonly Upstream[], options: PullThroughOptions = {}): PullThrough {
  checkPullThroughOptions(options)
  const { logger = consoleLogger } = options
  const router = new Router(upstreams, options.route)
  const statistics = new Statistics(options.onEvent, logger)
  const applied: Applied[] = []
  const decorator = (inner: Backend): Backend => {
    const one = apply(inner, router, statistics, options)
    applied.push(one)
    return one.backend
  }
  const close = async () => void (await Promise.all(applied.map((one) => one.close())))
  return Object.assign(decorator, {
    stats: () => statistics.snapshot(applied.reduce((sum, { keeper }) => sum + keeper.ledger.bytes, 0)),
    close,
    [Symbol.asyncDispose]: close,
  })
}

interface Applied {
  readonly backend: Backend
  readonly keeper: Storekeeper
  close(): Promise<void>
}

function apply(inner: Backend, router: Router, statistics: Statistics, options: PullThroughOptions): Applied {
  const { cache = inner, logger = consoleLogger, now = Date.now, maxBytes = Number.POSITIVE_INFINITY } = options
  const { tagTtlMs = 60_000, negativeTtlMs = 5_000 } = options
  const keeper = new Storekeeper({ backend: cache, maxBytes, state: options.state, statistics, logger })
  const core = new PullThroughCore({
    backend: cache,
    keeper,
    statistics,
    logger,
    now,
    tagTtlMs,
    calls: new UpstreamCalls({ now, statistics, negativeTtlMs }),
    freshness: new TagFreshness(now, tagTtlMs),
    maxStaleMs: options.maxStaleMs ?? Number.POSITIVE_INFINITY,
    patienceMs: options.patienceMs ?? 5_000,
    abandonedFillMs: options.abandonedFillMs ?? 60_000,
    spoolDirectory: options.spoolDirectory ?? tmpdir(),
    rangeMiss: options.rangeMiss ?? 'pass',
    writable: options.writes === 'local',
  })
  const source = new ManifestSource(core)
  const lookup = new TagLookup(core, source)
  const backend: Backend = {
    repository: (name) => {
      const local = mountingFromClaims(inner.repository(name), router)
      const pick = (context: OperationContext | undefined): Repository => {
        const claim = router.route(name, context)
        if (claim === undefined) return local
        return claim === 'nobody' ? hiddenRepository(local) : new ClaimedRepository(core, claim, source, lookup)
      }
      return routedRepository(local, pick)
    },
    repositories: (listOptions) => inner.repositories(listOptions),
  }
  const close = async () => {
    await core.close()
    await Promise.all([source.settled(), lookup.settled()])
    await keeper.close()
  }
  return { backend, keeper, close }
}

/** What is kept of an upstream can be mounted by the name under which it is pulled. */
function mountingFromClaims(repository: Repository, router: Router): Repository {
  const { blobs } = repository
  const mount: typeof blobs.mount = (digest, from, context) => {
    const claim = typeof from === 'string' ? router.route(from) : undefined
    return blobs.mount(digest, claim === undefined || claim === 'nobody' ? from : claim.localName, context)
  }
  return {
    name: repository.name,
    delete: (context) => repository.delete(context),
    blobs: expose(blobs, ['stat', 'open', 'startUpload', 'resumeUpload', 'delete', 'locate', 'put', 'list'], { mount }),
    manifests: repository.manifests,
    tags: repository.tags,
  }
}

/** For callers without types. */
function checkPullThroughOptions(options: PullThroughOptions): void {
  checkOptions('pullThrough()', options, {
    cache: true,
    route: true,
    tagTtlMs: true,
    maxStaleMs: true,
    patienceMs: true,
    negativeTtlMs: true,
    maxBytes: true,
    state: true,
    writes: true,
    spoolDirectory: true,
    abandonedFillMs: true,
    rangeMiss: true,
    onEvent: true,
    now: true,
    logger: true,
  })
  for (const name of [
    'tagTtlMs',
    'maxStaleMs',
    'patienceMs',
    'negativeTtlMs',
    'maxBytes',
    'abandonedFillMs',
  ] as const) {
    checkAmount(name, options[name])
  }
  checkChoice('writes', options.writes, ['refuse', 'local'])
  checkChoice('rangeMiss', options.rangeMiss, ['pass', 'fill'])
  if (options.cache !== undefined && typeof options.cache?.repository !== 'function') {
    throw new TypeError('the option "cache" must be a registry or another backend')
  }
}
