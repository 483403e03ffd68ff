import { NO_MANIFEST, RegistryError, unless } from '../errors.ts'
import { inParallel } from '../in-parallel.ts'
import type { Digest } from '../spec/digest.ts'
import { BlobTransfer, type TransferOptions } from './blob-transfer.ts'
import { aboutBlob, aboutManifest } from './errors.ts'
import type { CopyPlan, PlannedBlob, PlannedManifest, PlannedRoot, PlannedTag } from './plan.ts'

export interface CarryOutOptions extends TransferOptions {
  readonly concurrency: number
  readonly dryRun: boolean
  /** Blobs, and a repository of the target that has them by now; added to. */
  readonly placed: Map<Digest, string>
  /** Ends the other transfers, when one has failed. */
  readonly stop: (reason: unknown) => void
}

/** Blobs, then manifests from the leaves up, then tags: whatever is readable in the target is complete. */
export async function carryOut(plan: CopyPlan, options: CarryOutOptions): Promise<void> {
  const { concurrency } = options
  await inParallel(plan.blobs, concurrency, (blob) => placeBlob(blob, options))
  for (const manifests of plan.ranks) {
    await inParallel(manifests, concurrency, (manifest) => putManifest(manifest, options))
  }
  await inParallel(plan.roots, concurrency, (root) => putRoot(root, options))
}

async function placeBlob(
  { descriptor, image, action, mountFrom }: PlannedBlob,
  options: CarryOutOptions,
): Promise<void> {
  const { tally, dryRun, pair, placed, stop } = options
  const { digest } = descriptor
  try {
    if (action === 'skip') tally.skipped(descriptor)
    else {
      const from = dryRun ? mountFrom[0] : await mount(digest, mountFrom, options)
      if (from !== undefined) tally.mounted(descriptor, from)
      else {
        if (action === 'mount') tally.mountRefused(descriptor)
        if (dryRun) tally.moved(descriptor, 0)
        else await new BlobTransfer(descriptor, options).run()
      }
    }
    placed.set(digest, pair.target.name)
  } catch (error) {
    const failure = aboutBlob(digest, image, error)
    stop(failure)
    throw failure
  }
}

/** @returns the repository from which it was mounted; `undefined` when that was refused, for whatever reason: then it moves */
async function mount(
  digest: Digest,
  names: readonly string[],
  { pair, context }: CarryOutOptions,
): Promise<string | undefined> {
  for (const name of names) {
    try {
      await pair.target.blobs.mount(digest, name, context)
      return name
    } catch (error) {
      context.signal?.throwIfAborted()
      if (!RegistryError.is(error)) throw error
    }
  }
  return undefined
}

async function putManifest(
  manifest: PlannedManifest,
  { pair, tally, dryRun, context }: CarryOutOptions,
): Promise<void> {
  const { descriptor, content, image, isThere } = manifest
  const { digest, mediaType } = descriptor
  try {
    if (!isThere && !dryRun) await pair.target.manifests.put(content, { ...context, mediaType, digest })
    tally.manifest(descriptor, { skipped: isThere })
  } catch (error) {
    throw aboutManifest(digest, image, error)
  }
}

/** With all its tags in one call, which brings the manifest as well where it is not there yet. */
async function putRoot({ manifest, tags, isRanked }: PlannedRoot, options: CarryOutOptions): Promise<void> {
  const { pair, tally, dryRun, context } = options
  const { descriptor, content, image } = manifest
  const { digest, mediaType } = descriptor
  const names: string[] = []
  try {
    for (const tag of tags) if (await isToBeSet(tag, options)) names.push(tag.name)
    if (names.length > 0 && !dryRun) {
      await pair.target.manifests.put(content, { ...context, mediaType, digest, tags: names })
    }
  } catch (error) {
    throw aboutManifest(digest, image, error)
  }
  if (!isRanked && names.length === 0) await putManifest(manifest, options)
  else if (!isRanked) tally.manifest(descriptor, { skipped: manifest.isThere })
  const repository = pair.target.name
  for (const { name } of tags) tally.tag({ repository, tag: name, digest, skipped: !names.includes(name) })
  tally.image({ repository, digest, tags: tags.map(({ name }) => name) })
}

/** Looks once more where a tag must not be replaced: putting what it leads to may have made the registry set it. */
async function isToBeSet(
  { name, isThere, ifAbsent }: PlannedTag,
  { pair, context }: CarryOutOptions,
): Promise<boolean> {
  if (isThere || !ifAbsent) return !isThere
  return (await unless(NO_MANIFEST, pair.target.manifests.stat(name, context))) === undefined
}
