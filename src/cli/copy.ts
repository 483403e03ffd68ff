import type { ImageLocation } from '../copy/location.ts'
import type { CopyOptions } from '../copy/options.ts'
import { copy } from '../copy.ts'
import { isDigest } from '../spec/digest.ts'
import { CliError, EXIT_OK, EXIT_USAGE, messageOf } from './cli-error.ts'
import { readConnection } from './connection.ts'
import { COPY_OPTIONS, type CopyCommand, parseCopyCommand } from './copy-options.ts'
import { reportFor } from './copy-report.ts'
import { optionsHelp, rows } from './help.ts'
import { untilInterrupted } from './interrupt.ts'
import type { OpenLocation } from './locations/location.ts'
import { LOCATIONS, openLocation } from './locations.ts'
import { onlyImage } from './only-image.ts'

export function copyHelp(): string {
  return [
    'Usage: wharfage copy SRC DST [options]',
    '',
    'Copies an image, an index with all its platforms, or many, from one place to another. What the target has is skipped. Where',
    'DST names no tag, the tag stays what it was; where it names no repository, that too.',
    '',
    'Places:',
    ...rows(Object.values(LOCATIONS).map(({ form, help }) => [form, help])),
    '',
    'Options:',
    optionsHelp(COPY_OPTIONS),
    '',
    'Examples:',
    '  wharfage copy docker://alpine:3.20 docker://registry.example/mirror/alpine',
    '  wharfage copy docker://ghcr.io/team/app oci:./carry --tag "v2.*" --referrers',
    '  wharfage copy oci:./carry docker://registry.internal:5000/ --all-tags',
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong options, 130 interrupted.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function copyCommand(args: readonly string[]): Promise<number> {
  const command = parseCopyCommand(args)
  const { values } = command
  const from = readConnection(
    { creds: values['src-creds'], tlsVerify: values['src-tls-verify'], plainHttp: values['src-plain-http'] },
    'src-',
  )
  const to = readConnection(
    { creds: values['dest-creds'], tlsVerify: values['dest-tls-verify'], plainHttp: values['dest-plain-http'] },
    'dest-',
  )
  return untilInterrupted(async (signal) => {
    const source = await openLocation(command.source, { ...from, role: 'source' })
    try {
      const target = await openLocation(command.target, { ...to, role: 'target', dryRun: values['dry-run'] })
      try {
        await run(source, target, command, signal)
      } finally {
        await target.close()
      }
    } finally {
      await source.close()
    }
    return EXIT_OK
  })
}

async function run(
  source: OpenLocation,
  target: OpenLocation,
  command: CopyCommand,
  signal: AbortSignal,
): Promise<void> {
  const { values } = command
  const report = reportFor({
    json: values.json,
    quiet: values.quiet,
    outputIsTaken: /^(oci|docker)-archive:-(:|$)/.test(command.target),
  })
  try {
    const { from, to, options } = await prepare(source, target, command)
    const copying = asUsage(() => copy(from, to, { ...options, signal }))
    for await (const event of copying) report.event(event)
    const result = await copying
    if (!result.dryRun) await target.finish?.(signal)
    report.end()
    report.result(result)
  } finally {
    report.end()
  }
}

interface Prepared {
  readonly from: ImageLocation
  readonly to: ImageLocation
  readonly options: CopyOptions
}

async function prepare(source: OpenLocation, target: OpenLocation, command: CopyCommand): Promise<Prepared> {
  const { tag: tags, repository: repositories } = command.values
  const from = await sourceOf(source, command)
  return {
    from,
    to: targetOf(target, source, from),
    options: {
      ...command.options,
      ...(tags.length > 0 && { tags }),
      ...(repositories.length > 0 && { repositories }),
    },
  }
}

/** What `copy()` refuses at once is a mistake of whoever called the command. */
function asUsage<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw error instanceof TypeError ? new CliError(messageOf(error), EXIT_USAGE, { cause: error }) : error
  }
}

/** One image, unless many are asked for. */
async function sourceOf(location: OpenLocation, { source, isMany }: CopyCommand): Promise<ImageLocation> {
  const { backend, repository, reference } = location
  if (!isMany) return onlyImage(location, source, ', or take all with --all-tags')
  if (reference !== undefined) {
    throw new CliError(`${source} names one image: leave ${reference} out to choose among the tags`, EXIT_USAGE)
  }
  return { backend, ...(repository !== undefined && { repository }) }
}

/** Whatever the target leaves open is as in the source. A place that keeps whole names gets the host as well. */
function targetOf(
  { backend, repository, reference, host }: OpenLocation,
  source: OpenLocation,
  from: ImageLocation,
): ImageLocation {
  const isBare = host === undefined && source.host !== undefined && 'defaultRepository' in backend
  const same = isBare && from.repository !== undefined ? `${source.host}/${from.repository}` : from.repository
  const name = repository ?? same
  const isTagged = from.reference !== undefined && !isDigest(from.reference)
  return {
    backend,
    ...(name !== undefined && { repository: name }),
    ...(reference !== undefined ? { reference } : isTagged && { reference: from.reference }),
  }
}
