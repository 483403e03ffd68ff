import type { ImageLocation } from '../copy/location.ts'
import type { CopyOptions } from '../copy/options.ts'
import { copy } from '../copy.ts'
import { matcher } from '../decorators/pattern.ts'
import { withoutHost } from '../layout/names.ts'
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
import { onlyRepository } from './only-repository.ts'

export function copyHelp(): string {
  return [
    'Usage: wharfage copy SRC DST [options]',
    '',
    'Copies an image, an index with all its platforms, or many, from one place to another. What the target has is skipped. Where',
    'DST names no tag, the tag stays what it was; where it names no repository, that too. A layout and an archive keep the',
    "registry's host in front of it; into a registry or a store, ghcr.io/team/app of a layout goes as team/app.",
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
    'Exit codes: 0 done, 1 failed, also where no tag matches, 2 wrong options, 130 interrupted.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function copyCommand(args: readonly string[]): Promise<number> {
  const command = parseCopyCommand(args)
  const { values } = command
  const from = readConnection(
    {
      creds: values['src-creds'],
      tlsVerify: values['src-tls-verify'],
      plainHttp: values['src-plain-http'],
      tls: values['src-tls'],
    },
    'src-',
  )
  const to = readConnection(
    {
      creds: values['dest-creds'],
      tlsVerify: values['dest-tls-verify'],
      plainHttp: values['dest-plain-http'],
      tls: values['dest-tls'],
    },
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
    const { from, to, options } = await prepare(source, target, command, signal)
    const copying = asUsage(() => copy(from, to, { ...options, signal }))
    for await (const event of copying) report.event(event)
    const result = await copying
    if (result.images.length === 0) throwUnmatched(command)
    if (!result.dryRun) await target.finish?.(signal)
    report.end()
    report.result(result)
  } finally {
    report.end()
  }
}

/** A pattern that finds nothing is a mistake more often than it is meant. @throws {@link CliError} */
function throwUnmatched({ source, values: { tag, repository } }: CopyCommand): void {
  if (tag.length === 0 && repository.length === 0) return
  const where = repository.length > 0 ? ` in a repository that matches ${repository.join(' or ')}` : ''
  const what = tag.length > 0 ? `tag that matches ${tag.join(' or ')}` : 'tag'
  throw new CliError(`${source}: there is no ${what}${where}`)
}

interface Prepared {
  readonly from: ImageLocation
  readonly to: ImageLocation
  readonly options: CopyOptions
}

async function prepare(
  source: OpenLocation,
  target: OpenLocation,
  command: CopyCommand,
  signal: AbortSignal,
): Promise<Prepared> {
  const { tag: tags, repository: repositories } = command.values
  const from = await sourceOf(source, target, command, signal)
  const rename = renaming(source, target)
  const isAll = from.repository === undefined
  return {
    from,
    to: targetOf(target, from, rename),
    options: {
      ...command.options,
      ...(tags.length > 0 && { tags }),
      // A single repository was found by them, and is named now; one that SRC names is for copy() to refuse.
      ...((isAll || source.repository !== undefined) && repositories.length > 0 && { repositories }),
      ...(isAll && target.repository === undefined && rename && { rename }),
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
async function sourceOf(
  location: OpenLocation,
  target: OpenLocation,
  { source, isMany, values }: CopyCommand,
  signal: AbortSignal,
): Promise<ImageLocation> {
  const { backend, repository, reference } = location
  if (!isMany) return onlyImage(location, source, ', or take all with --all-tags')
  if (reference !== undefined) {
    throw new CliError(`${source} names one image: leave ${reference} out to choose among the tags`, EXIT_USAGE)
  }
  if (repository !== undefined) return { backend, repository }
  if (target.repository === undefined) return { backend }
  const isWanted = asUsage(() => matcher(values.repository.length > 0 ? values.repository : '**'))
  return { backend, repository: await onlyRepository(location, source, { isWanted, into: target.repository, signal }) }
}

type Rename = (repository: string) => string

/** `undefined` where names stay. A place that keeps whole names gets the host of a registry; others have no use for one. */
function renaming(source: OpenLocation, target: OpenLocation): Rename | undefined {
  if (keepsHosts(source) && !keepsHosts(target)) return withoutHost
  const { host } = source
  return host !== undefined && keepsHosts(target) ? (name) => `${host}/${name}` : undefined
}

/** A layout, in a directory or an archive. */
function keepsHosts({ backend }: OpenLocation): boolean {
  return 'defaultRepository' in backend
}

/** Whatever the target leaves open is as in the source. */
function targetOf(
  { backend, repository, reference }: OpenLocation,
  from: ImageLocation,
  rename: Rename = (name) => name,
): ImageLocation {
  const name = repository ?? (from.repository === undefined ? undefined : rename(from.repository))
  const isTagged = from.reference !== undefined && !isDigest(from.reference)
  return {
    backend,
    ...(name !== undefined && { repository: name }),
    ...(reference !== undefined ? { reference } : isTagged && { reference: from.reference }),
  }
}
