import type { AccessController } from '../../auth/access.ts'
import { anyone } from '../../auth/access.ts'
import type { Backend } from '../../backend.ts'
import { basicAccess, Gate, type Rights } from './access.ts'
import { chunkRules, uploadState } from './chunks.ts'
import type { Clock } from './clock.ts'
import { absoluteLinks, opaqueLinks, pagesOf, tagDetails } from './listings.ts'
import type { Middleware } from './middleware.ts'
import {
  danglingTagsRefused,
  immutableTags,
  mountsOfReferenced,
  onlyIn,
  withoutCatalog,
  withoutDeletes,
  withoutMounts,
  withoutReferrers,
} from './omissions.ts'
import type { RegistryBehaviour } from './options.ts'
import { rateLimit } from './rate-limit.ts'
import { TokenService } from './tokens.ts'

interface Surroundings {
  /** Where the registry listens. */
  readonly url: URL
  readonly clock: Clock
  readonly registry: Backend
  /** The only ones that are pushed to; more may come. */
  readonly repositories: ReadonlySet<string> | undefined
}

/** What makes a handler behave like that: the steps around it, outermost first, and its access controller. */
export function behaviourOf(
  behaviour: RegistryBehaviour,
  { url, clock, registry, repositories }: Surroundings,
): { readonly middleware: readonly Middleware[]; readonly controller: AccessController } {
  const { chunks = true, mounts = true, pageSize } = behaviour
  const { tokens, gate } = gateOf(behaviour, url, clock)
  const rules = chunks === false ? ({ patches: 'none' } as const) : chunks
  const steps: readonly (Middleware | false | undefined)[] = [
    tokens?.middleware,
    gate.middleware,
    behaviour.rateLimit &&
      rateLimit(behaviour.rateLimit, (request) => gate.userOf(request) ?? request.remoteAddress ?? '', clock),
    behaviour.referrers === false && withoutReferrers,
    behaviour.deletes === false && withoutDeletes,
    behaviour.catalog === false && withoutCatalog,
    repositories && onlyIn(repositories),
    mounts === false && withoutMounts,
    mounts === 'referenced' && mountsOfReferenced(registry),
    behaviour.immutableTags === true && immutableTags(registry),
    behaviour.keepsTagged === true && danglingTagsRefused(registry),
    rules !== true && chunkRules(rules),
    behaviour.uploadState === true && uploadState,
    behaviour.urls === 'absolute' && absoluteLinks(url.origin),
    behaviour.pages === 'token' && opaqueLinks(),
    pageSize !== undefined && pagesOf(pageSize),
    behaviour.tagDetails === true && tagDetails(registry),
  ]
  return { middleware: steps.filter((step) => typeof step === 'function'), controller: gate.controller }
}

function gateOf(
  {
    users: given,
    auth = given === undefined ? 'none' : 'basic',
    anonymousPull = false,
    ...behaviour
  }: RegistryBehaviour,
  url: URL,
  clock: Clock,
): { readonly tokens?: TokenService; readonly gate: Gate } {
  if (auth === 'none') return { gate: new Gate(anyone()) }
  const users = given ?? { user: 'password' }
  const everything: Rights = (user, { action }) => user !== undefined || (anonymousPull && action === 'pull')
  const { rights = everything } = behaviour
  if (auth === 'basic') return { gate: new Gate(basicAccess(users, rights)) }
  const tokens = new TokenService({ ...behaviour.token, users, rights, anonymous: anonymousPull, clock, url })
  return { tokens, gate: new Gate(tokens.access) }
}
