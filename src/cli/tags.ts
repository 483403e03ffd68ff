import { CliError, EXIT_USAGE } from './cli-error.ts'
import { optionsHelp } from './help.ts'
import { withLocation } from './one-location.ts'
import { parseCommandLine } from './options.ts'

export const TAGS_OPTIONS = {
  json: { help: '{"repository":…,"tags":[…]}, one line for each repository' },
  creds: { value: 'USER:PASSWORD', help: 'log in with these, in place of what is written down' },
  'tls-verify': { value: 'true|false', default: 'true', help: 'check certificates' },
  'plain-http': { help: 'no TLS at all; on a loopback address that is so without' },
  tls: { help: 'TLS, on a loopback address too' },
} as const

export function tagsHelp(): string {
  return [
    'Usage: wharfage tags PLACE [options]',
    '',
    'Lists the tags of a repository, docker://alpine say; of a place without one, those of all its repositories, as',
    'REPOSITORY:TAG. What a place is, wharfage copy --help tells.',
    '',
    'Options:',
    optionsHelp(TAGS_OPTIONS),
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong options.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function tags(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(args, TAGS_OPTIONS, ['PLACE'])
  const [place = ''] = positionals
  return withLocation(place, values, async ({ backend, repository, reference }, signal) => {
    if (reference !== undefined) {
      const host = /^docker:\/\/[^/]*:\d+$/.test(place) ? `, or write ${place}/ for all that this registry has` : ''
      throw new CliError(`${place}: leave out ${reference} to list the tags${host}`, EXIT_USAGE)
    }
    const names = repository === undefined ? backend.repositories({ signal }) : [repository]
    for await (const name of names) {
      const found: string[] = []
      for await (const tag of backend.repository(name).tags.list({ signal })) {
        if (values.json) found.push(tag)
        else console.log(repository === undefined ? `${name}:${tag}` : tag)
      }
      if (values.json) console.log(JSON.stringify({ repository: name, tags: found }))
    }
  })
}
