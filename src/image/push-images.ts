import type { OperationContext } from '../backend.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { MEDIA_TYPES } from '../spec/media-types.ts'
import { parsePlatform, runsOn } from '../spec/platform.ts'
import type { Base } from './base.ts'
import type { Compression } from './compression.ts'
import type { HistoryEntry, ImageConfig, RunConfig } from './config.ts'
import type { LayerStep } from './layer-step.ts'
import type { Plan } from './plan.ts'
import { type PushedLayer, pushLayer } from './push-layer.ts'
import { putManifest } from './put-manifest.ts'
import { applyRunOptions, sorted } from './run-options.ts'
import type { Place } from './source.ts'

interface PushOptions {
  readonly tags: readonly string[]
  readonly layers: { readonly compression: Compression; readonly level?: number }
  readonly context: OperationContext
}

/** What this image was built on. @see https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md */
const BASE_DIGEST = 'org.opencontainers.image.base.digest'

/** Every step once, for whichever platforms, then an image for each platform. */
export async function pushImages(
  plan: Plan,
  target: Place,
  { tags, layers, context }: PushOptions,
): Promise<Descriptor> {
  const bases = await plan.bases(context)
  const made = new Map<LayerStep, PushedLayer>()
  for (const step of plan.steps) {
    const users = bases.filter(({ platform }) => isFor(step, platform))
    if (users.length === 0) continue
    // One layer for all: of bases either each has layers or it is none.
    const entries = step.entries(
      plan.created,
      users.some(({ digest }) => digest !== undefined),
    )
    made.set(step, await pushLayer(target.repository, entries, { ...layers, ...context }))
  }
  const images = []
  for (const base of bases) {
    await base.moveLayers(target, context)
    const own = plan.steps.flatMap((step) => {
      const layer = isFor(step, base.platform) ? made.get(step) : undefined
      return layer === undefined ? [] : [{ ...layer, comment: step.comment }]
    })
    const annotations = sorted({ ...(base.digest && { [BASE_DIGEST]: base.digest }), ...plan.annotations })
    const manifest = {
      mediaType: MEDIA_TYPES.ociManifest,
      config: await pushConfig(configOf(plan, base, own), target, context),
      layers: [...base.layers, ...own.map(({ descriptor }) => descriptor)],
      ...notEmpty({ annotations }),
    }
    const pushed = await putManifest(target.repository, manifest, bases.length === 1 ? tags : [], context)
    images.push({ ...pushed, platform: platformWithVersion(base) })
  }
  const [only] = images
  if (only !== undefined && images.length === 1) return only
  const index = {
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: images,
    ...notEmpty({ annotations: sorted(plan.annotations) }),
  }
  return putManifest(target.repository, index, tags, context)
}

interface OwnLayer extends PushedLayer {
  readonly comment: string
}

/** The base's own, with everything that we do not know of, changed. */
function configOf({ run, created, author }: Plan, { config }: Base, own: readonly OwnLayer[]): ImageConfig {
  const { config: start = {}, rootfs, history = [], created: _, author: __, ...rest } = config
  const date = created.toISOString().replace('.000Z', 'Z')
  const changed = run.reduce<RunConfig>(applyRunOptions, start)
  const added: HistoryEntry[] = own.map(({ comment }) => ({ created: date, created_by: comment, comment: 'wharfage' }))
  // A history that does not tell of each layer below would have the ones above mistaken for those.
  const isWhole = history.filter((entry) => entry.empty_layer !== true).length === rootfs.diff_ids.length
  return {
    created: date,
    ...(author !== undefined && { author }),
    ...rest,
    ...notEmpty({ config: changed }),
    rootfs: { type: 'layers', diff_ids: [...rootfs.diff_ids, ...own.map(({ diffId }) => diffId)] },
    ...(isWhole && { history: [...history, ...added] }),
  }
}

async function pushConfig(config: ImageConfig, { repository }: Place, context: OperationContext): Promise<Descriptor> {
  const { digest, size } = await repository.blobs.put(Buffer.from(JSON.stringify(config)), context)
  return { mediaType: MEDIA_TYPES.ociConfig, digest, size }
}

/** Windows is told apart by its version as well, by which clients choose. */
function platformWithVersion({ platform, config }: Base): Platform {
  const version = config['os.version']
  return version === undefined ? platform : { ...platform, ...{ 'os.version': version } }
}

function isFor({ platforms }: LayerStep, platform: Platform): boolean {
  return platforms === undefined || platforms.some((name) => runsOn(platform, parsePlatform(name)))
}

function notEmpty<T extends Readonly<Record<string, object>>>(fields: T): Partial<T> {
  const kept = Object.entries(fields).filter(([, value]) => Object.keys(value).length > 0)
  return Object.fromEntries(kept) as Partial<T> // some of its own fields
}
