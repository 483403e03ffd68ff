import type { CopyOptions } from '../copy/options.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'
import { type OptionValues, parseCommandLine } from './options.ts'

export const COPY_OPTIONS = {
  'all-tags': { help: 'all tags of the repository' },
  tag: { value: 'GLOB', repeatable: true, help: 'the tags that match: v*, or release-* in quotes; may be repeated' },
  repository: {
    value: 'GLOB',
    repeatable: true,
    help: 'where SRC is all repositories, those that match: team/**; may be repeated',
  },
  platform: {
    value: 'OS/ARCH[/VARIANT]',
    repeatable: true,
    help: 'of an index, this platform alone, linux/arm64 say; may be repeated. The index itself stays as it is, its digest too',
  },
  'all-platforms': { help: 'of an index, all platforms: what happens without --platform' },
  'narrow-index': { help: 'with --platform, make a new index of the chosen platforms, with a digest of its own' },
  referrers: { help: 'also signatures, SBOMs and whatever else is attached to the images' },
  'foreign-layers': { help: 'also layers that are marked as not to be handed on' },
  recheck: { help: 'look for the blobs of images that the target has already, too' },
  'dry-run': { help: 'say what would be done, and do nothing' },
  concurrency: { value: 'N', default: '4', help: 'how many transfers go on at a time' },
  json: { help: 'one JSON object a line: each step, and at last the result' },
  quiet: { help: 'say nothing but errors; with --json, the result alone' },
  'src-creds': { value: 'USER:PASSWORD', help: 'log in to the source with these, in place of what is written down' },
  'dest-creds': { value: 'USER:PASSWORD', help: 'log in to the target with these' },
  'src-tls-verify': { value: 'true|false', default: 'true', help: 'check certificates of the source' },
  'dest-tls-verify': { value: 'true|false', default: 'true', help: 'check certificates of the target' },
  'src-plain-http': { help: 'no TLS at all with the source; on a loopback address that is so without' },
  'dest-plain-http': { help: 'no TLS at all with the target' },
  'src-tls': { help: 'TLS with the source, on a loopback address too' },
  'dest-tls': { help: 'TLS with the target, on a loopback address too' },
} as const

export interface CopyCommand {
  readonly source: string
  readonly target: string
  readonly values: OptionValues<typeof COPY_OPTIONS>
  /** Whether more than one image is meant. */
  readonly isMany: boolean
  /** For `copy()`, but for `tags` and `repositories`, which depend on the source. */
  readonly options: CopyOptions
}

/** @throws {@link CliError} */
export function parseCopyCommand(args: readonly string[]): CopyCommand {
  const { values, positionals } = parseCommandLine(args, COPY_OPTIONS, ['SRC', 'DST'])
  const [source = '', target = ''] = positionals
  if (values['all-tags'] && values.tag.length > 0) throw opposite('--all-tags', '--tag')
  if (values['all-platforms'] && values.platform.length > 0) throw opposite('--all-platforms', '--platform')
  if (values['narrow-index'] && values.platform.length === 0) {
    throw new CliError('--narrow-index leaves out platforms: say with --platform which ones stay', EXIT_USAGE)
  }
  return {
    source,
    target,
    values,
    isMany: values['all-tags'] || values.tag.length > 0 || values.repository.length > 0,
    options: {
      concurrency: parseCount(values.concurrency),
      ...(values.platform.length > 0 && { platforms: values.platform }),
      index: values['narrow-index'] ? 'narrow' : 'keep',
      referrers: values.referrers,
      foreignLayers: values['foreign-layers'],
      recheck: values.recheck,
      dryRun: values['dry-run'],
    },
  }
}

function opposite(one: string, other: string): CliError {
  return new CliError(`${one} and ${other} are opposites: give one of them`, EXIT_USAGE)
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  throw new CliError(`--concurrency ${text}: expected a number from 1 to 999`, EXIT_USAGE)
}
