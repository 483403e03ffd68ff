import type { Repository } from '../backend.ts'
import { RegistryError, unless } from '../errors.ts'
import { type Digest, isDigest } from '../spec/digest.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'
import { optionsHelp } from './help.ts'
import type { OpenLocation } from './locations/location.ts'
import { withLocation } from './one-location.ts'
import { parseCommandLine } from './options.ts'
import { ask, isInteractive } from './prompt.ts'

export const DELETE_OPTIONS = {
  yes: { help: 'do not ask' },
  'dry-run': { help: 'say what would be deleted, and delete nothing' },
  'whole-repository': { help: 'everything in the repository; PLACE names neither tag nor digest then' },
  creds: { value: 'USER:PASSWORD', help: 'log in with these, in place of what is written down' },
  'tls-verify': { value: 'true|false', default: 'true', help: 'check certificates' },
  'plain-http': { help: 'no TLS at all; on a loopback address that is so without' },
  tls: { help: 'TLS, on a loopback address too' },
} as const

export function deleteHelp(): string {
  return [
    'Usage: wharfage delete PLACE [options]',
    '',
    'Deletes a tag, which leaves what it points to; or, by its digest, a manifest and all tags that point to it. Asks first, on a',
    'terminal; elsewhere --yes must be said. What a place is, wharfage copy --help tells.',
    '',
    'Options:',
    optionsHelp(DELETE_OPTIONS),
    '',
    'Exit codes: 0 done, 1 failed or declined, 2 wrong options.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function deleteCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(args, DELETE_OPTIONS, ['PLACE'])
  const [place = ''] = positionals
  if (!values.yes && !values['dry-run'] && !isInteractive()) {
    throw new CliError('without a terminal to ask on, delete needs --yes; --dry-run shows what it would do', EXIT_USAGE)
  }
  return withLocation(place, values, async (location, signal) => {
    const repository = repositoryOf(location, place)
    const { what, run } = values['whole-repository']
      ? await wholeRepository(location, place, repository, signal)
      : await oneImage(location, place, repository, signal)
    if (values['dry-run']) {
      console.log(`would delete ${what}`)
      return
    }
    if (!values.yes && !/^y(es)?$/i.test(await ask(`Delete ${what}? [y/N] `, signal))) {
      throw new CliError('nothing was deleted')
    }
    await run()
    console.log(`deleted ${what}`)
  })
}

interface Deletion {
  readonly what: string
  readonly run: () => Promise<unknown>
}

function repositoryOf({ backend, repository }: OpenLocation, place: string): Repository {
  if (repository !== undefined) return backend.repository(repository)
  throw new CliError(`${place}: delete takes one image: name its repository, and a tag or a digest`, EXIT_USAGE)
}

async function oneImage(
  { reference }: OpenLocation,
  place: string,
  repository: Repository,
  signal: AbortSignal,
): Promise<Deletion> {
  // No tag that was left unsaid: what is deleted was named.
  if (reference === undefined) {
    const message = `${place}: delete takes one image: name a tag or a digest, or say --whole-repository`
    throw new CliError(message, EXIT_USAGE)
  }
  const { digest } = await repository.manifests.stat(reference, { signal })
  if (!isDigest(reference)) {
    const run = () => deleteTag(repository, reference, digest, signal)
    return { what: `the tag ${repository.name}:${reference}, at ${digest}`, run }
  }
  const tags = await tagsAt(repository, digest, signal)
  const along = tags.length === 0 ? '' : `, with the tags ${tags.join(', ')}`
  const run = () => repository.manifests.delete(digest, { signal })
  return { what: `the manifest ${repository.name}@${digest}${along}`, run }
}

async function deleteTag(repository: Repository, tag: string, digest: Digest, signal: AbortSignal): Promise<void> {
  try {
    await repository.tags.delete(tag, { signal })
  } catch (error) {
    if (!RegistryError.is(error, 'UNSUPPORTED')) throw error
    throw new CliError(
      `${error.message}: this registry deletes no tag by itself; ${repository.name}@${digest} deletes the manifest, and all tags that point to it`,
      undefined,
      { cause: error },
    )
  }
}

async function wholeRepository(
  { reference }: OpenLocation,
  place: string,
  repository: Repository,
  signal: AbortSignal,
): Promise<Deletion> {
  if (reference !== undefined) {
    throw new CliError(`${place}: --whole-repository takes no ${isDigest(reference) ? 'digest' : 'tag'}`, EXIT_USAGE)
  }
  let count = 0
  for await (const _ of repository.tags.list({ signal })) count++
  const what = `the repository ${repository.name}, with ${count} tag${count === 1 ? '' : 's'} and everything in it`
  return { what, run: () => repository.delete({ signal }) }
}

/** What else goes: a registry does not tell. */
async function tagsAt({ tags }: Repository, digest: Digest, signal: AbortSignal): Promise<string[]> {
  const found: string[] = []
  for await (const tag of tags.list({ signal })) {
    const target = await unless(['MANIFEST_UNKNOWN'], tags.resolve(tag, { signal }))
    if (target === digest) found.push(tag)
  }
  return found
}
