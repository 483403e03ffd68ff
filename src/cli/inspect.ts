import type { Manifest, Repository } from '../backend.ts'
import { readAll } from '../bytes.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { isJsonObject, type JsonObject, readJson } from '../spec/json-scan.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { formatPlatform } from '../spec/platform.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'
import { formatBytes } from './format-bytes.ts'
import { optionsHelp } from './help.ts'
import { withLocation } from './one-location.ts'
import { onlyImage } from './only-image.ts'
import { parseCommandLine } from './options.ts'

/** Of a config that is shown. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024

export const INSPECT_OPTIONS = {
  json: { help: 'one JSON object: name, descriptor, manifest, config' },
  raw: { help: 'the bytes of the manifest as they are, and nothing else' },
  creds: { value: 'USER:PASSWORD', help: 'log in with these, in place of what is written down' },
  'tls-verify': { value: 'true|false', default: 'true', help: 'check certificates' },
  'plain-http': { help: 'no TLS at all; on a loopback address that is so without' },
  tls: { help: 'TLS, on a loopback address too' },
} as const

export function inspectHelp(): string {
  return [
    'Usage: wharfage inspect PLACE [options]',
    '',
    'Shows the digest of an image and what it consists of, its platforms where it is an index. What a place is, wharfage copy',
    '--help tells.',
    '',
    'Options:',
    optionsHelp(INSPECT_OPTIONS),
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong options.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function inspect(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(args, INSPECT_OPTIONS, ['PLACE'])
  const [place = ''] = positionals
  if (values.json && values.raw) throw new CliError('--json and --raw are two forms: give one of them', EXIT_USAGE)
  return withLocation(place, values, async (location, signal) => {
    const { backend, repository: name, reference } = await onlyImage(location, place)
    const repository = backend.repository(name)
    const manifest = await repository.manifests.get(reference, { signal })
    if (values.raw) {
      process.stdout.write(manifest.content)
      return
    }
    const { descriptor, content } = manifest
    const parsed = parseManifest(content, descriptor.mediaType)
    const config = await readConfig(repository, parsed, signal)
    const title = `${name}${reference.includes(':') ? '@' : ':'}${reference}`
    if (values.json) {
      console.log(JSON.stringify({ name: title, descriptor, manifest: jsonOf(content), ...(config && { config }) }))
    } else console.log(describe(title, manifest, parsed, config).join('\n'))
  })
}

/** Of an image, where it is a small JSON document; artifacts have other ones. */
async function readConfig(
  { blobs }: Repository,
  { config }: ParsedManifest,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  if (config === undefined || config.size > MAX_CONFIG_BYTES || !/[+/]json$/.test(config.mediaType)) return undefined
  await using body = (await blobs.open(config.digest, { signal })).body
  const content = await readAll(body.stream(), MAX_CONFIG_BYTES)
  const value = content && jsonOf(content)
  return isJsonObject(value) ? value : undefined
}

/** `undefined` for what is no JSON within bounds. */
function jsonOf(content: Uint8Array): unknown {
  const reading = readJson(content)
  return reading.problem === undefined ? reading.value : undefined
}

function describe(
  title: string,
  { descriptor }: Manifest,
  { artifactType, config, layers, manifests, subject }: ParsedManifest,
  configValue: JsonObject | undefined,
): string[] {
  const total = layers.reduce((sum, { size }) => sum + size, 0)
  return [
    title,
    ...field('digest', descriptor.digest),
    ...field('type', descriptor.mediaType),
    ...field('artifact', artifactType === config?.mediaType ? undefined : artifactType),
    ...field('subject', subject?.digest),
    ...field('platform', platformOf(configValue)),
    ...field('created', configValue?.created),
    ...list('platforms', manifests, (child) => (child.platform ? formatPlatform(child.platform) : child.mediaType)),
    ...list(`layers, ${formatBytes(total)}`, layers, (layer) => layer.mediaType),
  ].map(printable)
}

function field(name: string, value: unknown): string[] {
  return typeof value === 'string' ? [`  ${name.padEnd(10)}${value}`] : []
}

function list(title: string, items: readonly Descriptor[], label: (item: Descriptor) => string): string[] {
  if (items.length === 0) return []
  const width = Math.max(...items.map((item) => label(item).length))
  const lines = items.map((item) => `    ${label(item).padEnd(width)}  ${item.digest}  ${formatBytes(item.size)}`)
  return [`  ${title}`, ...lines]
}

function platformOf(config: JsonObject | undefined): string | undefined {
  const { os, architecture, variant } = config ?? {}
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  return formatPlatform({ os, architecture, ...(typeof variant === 'string' && { variant }) })
}

/** An image is somebody else's words: none of them moves the cursor. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')
}
