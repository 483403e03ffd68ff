import { checkAmount, checkChoice, checkOptions } from '../arguments.ts'
import type { OperationContext } from '../backend.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { type PlatformName, parsePlatform } from '../spec/platform.ts'
import { emptyBase, findBases } from './base.ts'
import type { Compression } from './compression.ts'
import { defaultPlatform } from './default-platform.ts'
import { type Addition, type AddOptions, addStep, removeStep } from './layer-step.ts'
import type { Plan } from './plan.ts'
import { resolveSource } from './pull.ts'
import { pushImages } from './push-images.ts'
import { checkTags } from './put-manifest.ts'
import { checkRunOptions, checkTexts, type RunOptions } from './run-options.ts'
import { type ImageSource, type ImageTarget, placeOfTarget, type ResolveRegistry } from './source.ts'

export interface ImageOptions {
  /**
   * The image's date, and that of the files in it. Default: 1970, so that the same input is the same image; for `SOURCE_DATE_EPOCH`
   * `new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000)`.
   */
  readonly created?: Date
  readonly author?: string
}

export interface ScratchOptions extends ImageOptions {
  /** Default: Linux on this machine's processor. */
  readonly platform?: PlatformName | Platform
}

export interface FromOptions extends ImageOptions {
  /** For which platforms to build, of those that the base has; several become an index. Default: Linux on this machine's processor. */
  readonly platforms?: readonly PlatformName[] | 'all'
  /** Finds the backend of a base that is given as text, by its host. */
  readonly resolve?: ResolveRegistry
}

export interface PushImageOptions extends OperationContext {
  readonly tags?: readonly string[]
  /** Of the layers that are made. zstd takes Node.js 22.15 or later. Default: gzip. */
  readonly compression?: Compression
  /** Default: zlib's 6, or zstd's 3. */
  readonly compressionLevel?: number
}

/**
 * An image that is being put together. Each method gives a new builder and leaves the one it is called on as it was, so that several images
 * can begin alike. Nothing is read, and nothing is sent, before {@link push}.
 */
export class ImageBuilder {
  readonly #plan: Plan

  /** @internal Begin with `image.from()` or `image.scratch()`. */
  constructor(plan: Plan) {
    this.#plan = plan
  }

  /**
   * Adds a layer of files: a directory or file of this machine, by its path; files by their paths in the image, as text, bytes or
   * entries; or a tar, compressed or not, as bytes, a stream, or a function that opens one.
   *
   * Owners, modes and dates are what `options` say, else the same on every machine (but of a tar its own), see {@link AddOptions}.
   * Directories on the way are made, but for those that any base has, such as `/usr/bin`.
   *
   * @throws `TypeError` for what cannot be added. What there is to read is looked at by `push`.
   */
  add(addition: Addition, options?: AddOptions): ImageBuilder {
    return this.#with({ steps: [...this.#plan.steps, addStep(addition, options)] })
  }

  /** Removes files, and directories with all that is in them, that layers below have. */
  remove(...paths: readonly string[]): ImageBuilder {
    return this.#with({ steps: [...this.#plan.steps, removeStep(paths)] })
  }

  /** What a container is started with; each call changes what it names, and what the base says stays besides. */
  config(options: RunOptions): ImageBuilder {
    checkRunOptions(options)
    return this.#with({ run: [...this.#plan.run, options] })
  }

  /** Annotations of the manifest, and of the index where there is one; `null` takes one away. A base's own are not taken over. */
  annotations(annotations: Readonly<Record<string, string | null>>): ImageBuilder {
    checkTexts('annotations', annotations)
    return this.#with({ annotations: { ...this.#plan.annotations, ...annotations } })
  }

  /**
   * Builds the image into a repository: layers, each streamed and uploaded in one pass; the base's layers, mounted where they can be;
   * config and manifest; tags last. What was uploaded before a failure stays for the collection of garbage.
   *
   * @returns the manifest's descriptor with its platform, or for several platforms the index's
   * @throws `RegistryError` what reading the base and writing the target throw, and what each addition does
   */
  async push(target: ImageTarget, options: PushImageOptions = {}): Promise<Descriptor> {
    checkOptions<PushImageOptions>('push()', options, {
      tags: true,
      compression: true,
      compressionLevel: true,
      signal: true,
      actor: true,
      requestId: false,
      request: false,
      namespace: false,
    })
    const { tags, compression = 'gzip', compressionLevel: level, ...context } = options
    checkChoice('compression', compression, ['gzip', 'zstd', 'none'])
    checkAmount('compressionLevel', level)
    const layers = { compression, ...(level !== undefined && { level }) }
    return pushImages(this.#plan, placeOfTarget(target), { tags: checkTags(tags), layers, context })
  }

  #with(change: Partial<Plan>): ImageBuilder {
    return new ImageBuilder({ ...this.#plan, ...change })
  }
}

function scratch(options: ScratchOptions = {}): ImageBuilder {
  checkOptions<ScratchOptions>('image.scratch()', options, { platform: true, created: true, author: true })
  const platform = options.platform === undefined ? defaultPlatform() : parsePlatform(options.platform)
  return new ImageBuilder({ ...planOf(options), bases: () => Promise.resolve([emptyBase(platform)]) })
}

function from(source: ImageSource | string, options: FromOptions = {}): ImageBuilder {
  checkOptions<FromOptions>('image.from()', options, { platforms: true, resolve: true, created: true, author: true })
  const { platforms } = options
  if (Array.isArray(platforms)) platforms.forEach(parsePlatform)
  const found = resolveSource(source, options.resolve)
  return new ImageBuilder({ ...planOf(options), bases: (context) => findBases(found, platforms, context) })
}

/** Where images are begun. */
export interface ImageFactory {
  /** An image of nothing but what is added to it. */
  scratch(options?: ScratchOptions): ImageBuilder
  /**
   * An image on another one.
   *
   * @throws `TypeError` for a source as text without the option `resolve`
   */
  from(source: ImageSource | string, options?: FromOptions): ImageBuilder
}

/**
 * Where images are begun.
 *
 * @example
 * await image.from({ backend: registry, repository: 'base/node', reference: '22' }, { platforms: ['linux/amd64', 'linux/arm64'] })
 *   .add('./dist', { to: '/app' })
 *   .config({ workdir: '/app', cmd: ['node', 'server.js'] })
 *   .push({ backend: registry, repository: 'team/app' }, { tags: ['v1'] })
 */
export const image: ImageFactory = { from, scratch }

function planOf({ created = new Date(0), author }: ImageOptions): Omit<Plan, 'bases'> {
  if (!(created instanceof Date) || Number.isNaN(created.getTime()))
    throw new TypeError('the option "created" must be a valid Date')
  return { steps: [], run: [], annotations: {}, created, ...(author !== undefined && { author }) }
}
