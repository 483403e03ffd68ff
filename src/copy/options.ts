import { checkAmount, checkChoice, checkOptions, kindOf } from '../arguments.ts'
import type { OperationContext } from '../backend.ts'
import { type Match, matcher } from '../decorators/pattern.ts'
import type { Platform } from '../spec/descriptor.ts'
import type { Place } from './location.ts'
import { readPlatforms } from './platforms.ts'

export interface CopyOptions extends OperationContext {
  /** Which tags of a repository. Default: all. */
  readonly tags?: Match
  /** Which repositories of a backend. Default: all. */
  readonly repositories?: Match
  /**
   * What a repository of the source is called in the target, where that names none. Two that would get one name fail the copy before
   * anything is moved, with `NAME_INVALID`. Default: the same.
   */
  readonly rename?: (repository: string) => string
  /**
   * Which images of an index: `linux/amd64`, `linux/arm/v7`. Children that name no platform come along. An image that is in no
   * index is copied as it is. Each platform must be there, or the copy fails with `MANIFEST_UNKNOWN`. Default: all.
   */
  readonly platforms?: readonly (string | Platform)[]
  /**
   * What becomes of an index of which some platforms are left out. `keep`: it stays as it is, digest and signatures with it, and
   * names images that are not there, which the target must allow (`sparse: 'index'`, the default of a registry here). `narrow`: a
   * new index, with a digest of its own, names what was copied. Default: `keep`.
   */
  readonly index?: 'keep' | 'narrow'
  /**
   * Also what was attached to the images: manifests that name them as their subject (signatures, SBOMs, attestations), what is
   * attached to those in turn, and what the older conventions tag as `sha256-<hex>`, `.sig`, `.att` and `.sbom`; of an index of
   * which some platforms are chosen, also BuildKit's attestations of these. Default: false.
   */
  readonly referrers?: boolean
  /** Also layers that must not be handed on by their media type (Windows' base layers). Default: false. */
  readonly foreignLayers?: boolean
  /**
   * Look at the blobs of images that the target has already as well. Without it their manifests vouch for them: a registry takes
   * none whose blobs are missing. Default: false.
   */
  readonly recheck?: boolean
  /** Find out what there is to do, and do nothing: neither side is written to. Default: false. */
  readonly dryRun?: boolean
  /** How many transfers, and how many questions, go on at a time. Default: 4. */
  readonly concurrency?: number
  /** How often a blob is tried when its transfer breaks; one that got on by 8 MiB does not count. Default: 5. */
  readonly attempts?: number
  /** @internal Waits between attempts; replaced by tests. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>
}

/** @throws `TypeError` for a call that makes no sense */
export function checkCopy(source: Place, target: Place, options: CopyOptions): void {
  checkOptions<CopyOptions>('copy()', options, {
    tags: true,
    repositories: true,
    rename: true,
    platforms: true,
    index: true,
    referrers: true,
    foreignLayers: true,
    recheck: true,
    dryRun: true,
    concurrency: true,
    attempts: true,
    sleep: false,
    signal: true,
    actor: true,
    requestId: true,
    request: false,
    namespace: false,
  })
  const { tags, repositories, rename, platforms, index, concurrency, attempts } = options
  checkChoice('index', index, ['keep', 'narrow'])
  checkCount('concurrency', concurrency)
  checkCount('attempts', attempts)
  if (tags !== undefined) matcher(tags)
  if (repositories !== undefined) matcher(repositories)
  if (platforms !== undefined) readPlatforms(platforms)
  if (rename !== undefined && typeof rename !== 'function') {
    throw new TypeError(`the option "rename" must be a function from name to name, not ${kindOf(rename)}`)
  }
  if (rename !== undefined && target.repository !== undefined) {
    throw new TypeError('the option "rename" names the repositories of the target: leave out the one that it has')
  }
  if (source.reference !== undefined && tags !== undefined) {
    throw new TypeError('the option "tags" chooses among all tags: leave out the reference of the source')
  }
  if (source.repository !== undefined && repositories !== undefined) {
    throw new TypeError('the option "repositories" chooses among all repositories: leave out the one of the source')
  }
  if (source.repository === undefined && target.repository !== undefined) {
    throw new TypeError(
      'many repositories cannot be copied into one: leave out the repository of the target, or name one in the source',
    )
  }
  if (source.reference === undefined && target.reference !== undefined) {
    throw new TypeError('many images cannot be copied to one reference: leave out the one of the target')
  }
}

function checkCount(name: string, value: number | undefined): void {
  checkAmount(name, value)
  if (value !== undefined && !(value >= 1))
    throw new TypeError(`the option "${name}" must be 1 or more, not ${kindOf(value)}`)
}
