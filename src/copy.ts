import { setTimeout as delay } from 'node:timers/promises'
import type { OperationContext } from './backend.ts'
import { carryOut } from './copy/carry-out.ts'
import { Copying } from './copy/copying.ts'
import { about } from './copy/errors.ts'
import { type CopyLocation, type Place, pairRepositories, type RepositoryPair, readLocation } from './copy/location.ts'
import { type CopyOptions, checkCopy } from './copy/options.ts'
import { Planner } from './copy/planner.ts'
import { readPlatforms } from './copy/platforms.ts'
import type { CopyProgress, CopyResult } from './copy/progress.ts'
import { Tally } from './copy/tally.ts'
import { RegistryError } from './errors.ts'
import type { Digest } from './spec/digest.ts'

const CONCURRENCY = 4
const ATTEMPTS = 5

/**
 * Copies images from one place to another: one image or index, all or some tags of a repository, all or some repositories of a
 * backend. Bytes and digests stay as they are. What the target has is skipped, what it can mount from where it is does not
 * move, what breaks on the way goes on where it broke; every digest is verified. Tags are set when everything that they lead
 * to is there, repository by repository: a copy that fails leaves none that is incomplete, and can be called again.
 *
 * The target keeps the source's tags; `target.reference` names another one. An image that the source names by its digest is
 * tagged only where the target names a tag.
 *
 * @throws `TypeError` at once, for a call that makes no sense. What it returns rejects with a {@link RegistryError} that says which blob
 * or manifest of which image it is about, or with the reason of `signal`
 * @example
 * const { images } = await copy(
 *   { backend: hub, repository: 'library/alpine', reference: '3.20' },
 *   { backend: registry, repository: 'mirror/alpine' },
 *   { platforms: ['linux/amd64', 'linux/arm64'], referrers: true },
 * )
 */
export function copy(source: CopyLocation, target: CopyLocation, options: CopyOptions = {}): Copying {
  const from = readLocation('source', source)
  const to = readLocation('target', target)
  checkCopy(from, to, options)
  return new Copying((tell) => run(from, to, options, tell))
}

async function run(
  from: Place,
  to: Place,
  options: CopyOptions,
  tell: (event: CopyProgress) => void,
): Promise<CopyResult> {
  const { signal, actor, requestId, dryRun = false, repositories: match = '**', rename } = options
  // The first failure stops what else goes on, as the caller does.
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const context: OperationContext = {
    signal: stop.signal,
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
  }
  const tally = new Tally(tell)
  const placed = new Map<Digest, string>()
  try {
    signal?.throwIfAborted()
    for await (const pair of pairRepositories(from, to, { match, rename, context })) {
      await copyRepository(pair, { from, to, options, context, tally, placed, stop: (reason) => stop.abort(reason) })
    }
    return tally.result(dryRun)
  } catch (error) {
    throw signal?.aborted ? signal.reason : RegistryError.is(error) ? error : about('copy', {}, error)
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

interface Run {
  readonly from: Place
  readonly to: Place
  readonly options: CopyOptions
  readonly context: OperationContext
  readonly tally: Tally
  readonly placed: Map<Digest, string>
  readonly stop: (reason: unknown) => void
}

async function copyRepository(pair: RepositoryPair, run: Run): Promise<void> {
  const { from, to, options, context, tally, placed, stop } = run
  const { platforms, index = 'keep', concurrency = CONCURRENCY, attempts = ATTEMPTS, dryRun = false } = options
  const common = { pair, context, concurrency, dryRun, placed }
  const plan = await new Planner({
    ...common,
    reference: from.reference,
    targetReference: to.reference,
    tags: options.tags ?? '**',
    platforms: platforms && readPlatforms(platforms),
    narrow: index === 'narrow',
    referrers: options.referrers ?? false,
    foreignLayers: options.foreignLayers ?? false,
    recheck: options.recheck ?? false,
  }).plan()
  tally.planned(pair.target.name, plan)
  const { sleep = (ms, signal) => delay(ms, undefined, signal && { signal }) } = options
  await carryOut(plan, { ...common, tally, attempts, sleep, stop })
}
