import { RegistryError } from '../errors.ts'
import type { Platform } from '../spec/descriptor.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import { isJsonObject, type JsonObject, readJson } from '../spec/json-scan.ts'

/**
 * Wire form of the config of an image. Fields that are not listed here are kept as they are.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
 */
export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string
  readonly author?: string
  readonly architecture: string
  readonly os: string
  readonly 'os.version'?: string
  readonly variant?: string
  readonly config?: RunConfig
  readonly rootfs: RootFS
  readonly history?: readonly HistoryEntry[]
}

/** What a container of the image is started with, unless it is told otherwise. */
export interface RunConfig {
  readonly User?: string
  /** `8080/tcp`, each with an empty object. */
  readonly ExposedPorts?: Readonly<Record<string, object>>
  /** `NAME=value`. */
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Volumes?: Readonly<Record<string, object>>
  readonly WorkingDir?: string
  readonly Labels?: Readonly<Record<string, string>>
  readonly StopSignal?: string
}

export interface RootFS {
  readonly type: 'layers'
  /** Of each layer as an uncompressed tar, the lowest first. */
  readonly diff_ids: readonly Digest[]
}

export interface HistoryEntry {
  readonly created?: string
  readonly created_by?: string
  readonly author?: string
  readonly comment?: string
  /** Whether the step changed no files, so that no layer belongs to it. */
  readonly empty_layer?: boolean
}

/** Largest config that is read, in bytes: as containerd has it for manifests, and far above any that is in use. */
export const MAX_CONFIG_BYTES: number = 4 * 1024 * 1024

/** @throws `RegistryError` `MANIFEST_INVALID` */
export function parseImageConfig(content: Uint8Array): ImageConfig {
  const reading = readJson(content)
  if (reading.problem !== undefined) throw invalid(reading.problem, reading.cause)
  const root = withoutNulls(reading.value)
  if (root === undefined) throw invalid('expected a JSON object')
  const { architecture = '', os = '' } = root // what Go writes for an unset field
  const rootfs = withoutNulls(root.rootfs)
  const run = withoutNulls(root.config)
  const ids = rootfs?.diff_ids ?? []
  if (rootfs?.type !== 'layers') throw invalid('expected "rootfs" to be of the type "layers"')
  if (!isStrings(ids) || !ids.every(isDigest)) throw invalid('expected "rootfs.diff_ids" to be digests')
  for (const name of TEXTS) check(root, name, isString)
  check(root, 'history', (value) => Array.isArray(value) && value.every(isJsonObject))
  if (root.config !== undefined && run === undefined) throw invalid('expected "config" to be an object')
  if (run !== undefined) checkRunConfig(run)
  // Every field that the type has was looked at above.
  const { config: _, ...rest } = root
  return {
    ...rest,
    architecture,
    os,
    ...(run && { config: run }),
    rootfs: { ...rootfs, diff_ids: ids },
  } as unknown as ImageConfig
}

export function platformOf({ os, architecture, variant }: ImageConfig): Platform {
  return { os, architecture, ...(variant && { variant }) }
}

const TEXTS = ['created', 'author', 'architecture', 'os', 'os.version', 'variant'] as const

function checkRunConfig(run: JsonObject): void {
  for (const name of ['User', 'WorkingDir', 'StopSignal']) check(run, name, isString)
  for (const name of ['Env', 'Entrypoint', 'Cmd']) check(run, name, isStrings)
  for (const name of ['ExposedPorts', 'Volumes']) check(run, name, isJsonObject)
  check(run, 'Labels', (value) => isJsonObject(value) && Object.values(value).every(isString))
}

function check(object: JsonObject, name: string, isRight: (value: unknown) => boolean): void {
  if (object[name] !== undefined && !isRight(object[name])) throw invalid(`the field "${name}" is of the wrong kind`)
}

/** `null` is what Go writes for an absent field. */
function withoutNulls(value: unknown): JsonObject | undefined {
  if (!isJsonObject(value)) return undefined
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null))
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isString)
}

function invalid(reason: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message: `the config of the image: ${reason}`, cause })
}
