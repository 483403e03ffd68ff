import { anyone } from '../../auth/access.ts'
import { memory } from '../../drivers/memory.ts'
import { createHandler } from '../../http/handler.ts'
import { silentLogger } from '../../logger.ts'
import { Registry } from '../../registry.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { parseRepositoryName } from '../../spec/name.ts'
import { behaviourOf } from './behaviour.ts'
import { systemClock } from './clock.ts'
import { type Failure, type FailureRule, Failures } from './failures.ts'
import type { SymbolicImage } from './image.ts'
import { LoopbackServers } from './loopback-servers.ts'
import { chain } from './middleware.ts'
import { checkStartOptions, type StartRegistryOptions, type WellKnownRegistry } from './options.ts'
import { pushImage, splitReference, tagReferrer } from './push.ts'
import { combined, REGISTRY_QUIRKS } from './quirks.ts'
import { type RecordedRequest, RecordedRequests, recorder } from './requests.ts'
import { StorageOrigin } from './storage-origin.ts'
import { type KeyPair, makeCertificates } from './tls.ts'

/** A registry that runs, until it is stopped. */
export interface RunningRegistry extends AsyncDisposable {
  /** `http://127.0.0.1:49152`, without a slash at its end. */
  readonly url: string
  /** `127.0.0.1:49152`, as references to images begin with. */
  readonly host: string
  /** What it serves: for looking at it, and changing it, behind the back of the client under test. */
  readonly registry: Registry
  /** What it was asked. */
  readonly requests: RecordedRequests
  /** What clients must be told to trust, as PEM; with `tls` only. */
  readonly ca?: string
  /** What a client has to show; with `tls: 'client'` only. */
  readonly client?: KeyPair
  /**
   * Puts an image there, in code: nothing is recorded, nobody has to log in, and nothing goes wrong.
   *
   * @param reference - `team/app:v1`, or `team/app` for what is found by its digest alone
   * @returns the descriptor of its manifest
   * @throws `RegistryError` for a name or a tag that is none
   */
  push(reference: string, image: SymbolicImage): Promise<Descriptor>
  /** Makes a repository that can be pushed to, where `repositories` says that it takes that. */
  createRepository(name: string): void
  /** Lets something go wrong from now on. @throws `TypeError` for a rule that says nothing */
  fail(rule: FailureRule): Failure
  /** Ends all connections, also those in the middle of something, and the server. Once is enough, twice does no harm. */
  stop(): Promise<void>
}

/**
 * Starts a registry in this process, in memory and on a free port of 127.0.0.1, for tests of whatever talks to one.
 *
 * @example
 * await using registry = await startRegistry({ users: { alice: 'secret' }, like: 'ghcr' })
 * await registry.push('team/app:v1', image({ layers: ['a', 'b'] }))
 * await myClient.pull(`${registry.host}/team/app:v1`, { username: 'alice', password: 'secret' })
 * expect(registry.requests.filter({ method: 'GET', path: /blobs/ })).toHaveLength(3)
 * @throws `TypeError` for options that there are not, and where `tls` finds the package `selfsigned` missing
 */
export async function startRegistry(options: StartRegistryOptions = {}): Promise<RunningRegistry> {
  const wellKnown = Object.keys(REGISTRY_QUIRKS) as WellKnownRegistry[] // its type has no other keys
  checkStartOptions(options, wellKnown)
  const { like, tls = false, fail = [], clock = systemClock, logger = silentLogger, registry: yours, ...own } = options
  const quirks = like === undefined ? [] : REGISTRY_QUIRKS[like].map(({ behaviour }) => behaviour)
  const behaviour = combined([...quirks, own])
  const failures = new Failures(fail, clock)
  const recorded: RecordedRequest[] = []
  const certificates = tls === false ? undefined : await makeCertificates()
  const registry = yours ?? new Registry({ storage: memory(), logger })
  const repositories = behaviour.repositories && new Set(behaviour.repositories.map(parseRepositoryName))

  const servers = new LoopbackServers({ certificates, asksClients: tls === 'client', logger })
  const around = (origin: 'registry' | 'storage') => [recorder(recorded, origin), failures.middleware(origin)]
  let storage: StorageOrigin | undefined
  if (behaviour.blobRedirects === true) {
    await servers.listen((origin) => {
      storage = new StorageOrigin(origin.href)
      const open = createHandler(registry, { access: anyone(), logger })
      return chain(around('storage'), storage.handler(open))
    })
  }
  const served = storage?.redirecting(registry) ?? registry
  const url = await servers.listen((origin) => {
    const { middleware, controller } = behaviourOf(behaviour, { url: origin, clock, registry, repositories })
    const publicUrl = behaviour.urls === 'absolute' ? { publicUrl: origin } : {}
    const handler = createHandler(served, { access: controller, logger, ...publicUrl })
    return chain([...around('registry'), ...middleware], handler)
  })

  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= servers.close().then(() => (yours === undefined ? registry.close() : undefined))
    return stopped
  }
  return {
    url: url.origin,
    host: url.host,
    registry,
    requests: new RecordedRequests(recorded),
    ...(certificates && { ca: certificates.ca }),
    ...(certificates && tls === 'client' && { client: certificates.client }),
    push: async (reference, image) => {
      repositories?.add(splitReference(reference).name)
      const pushed = await pushImage(registry, reference, image)
      if (behaviour.referrers === false) await tagReferrer(registry, reference, image)
      return pushed
    },
    createRepository: (name) => void repositories?.add(parseRepositoryName(name)),
    fail: (rule) => failures.add(rule),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
