import { RegistryError } from '../errors.ts'
import { eraseCredentials, storeCredentials } from '../remote/credentials/store.ts'
import { CliError, EXIT_OK, EXIT_USAGE } from './cli-error.ts'
import { readConnection } from './connection.ts'
import { optionsHelp } from './help.ts'
import { untilInterrupted } from './interrupt.ts'
import { connect } from './locations/registry.ts'
import { parseCommandLine } from './options.ts'
import { ask, askSecret, isInteractive, readSecret } from './prompt.ts'

export const LOGIN_OPTIONS = {
  username: { value: 'NAME', help: 'who logs in; asked for where there is a terminal' },
  'password-stdin': { help: 'read the password, or an access token, from the standard input; else it is asked for' },
  'tls-verify': { value: 'true|false', default: 'true', help: 'check certificates' },
  'plain-http': { help: 'no TLS at all; on a loopback address that is so without' },
  tls: { help: 'TLS, on a loopback address too' },
} as const

export function loginHelp(): string {
  return [
    'Usage: wharfage login HOST [options]',
    '',
    "Tries a login with a registry, and writes it down where docker does: with the helper that docker's configuration names, or",
    'in ~/.docker/config.json ($DOCKER_CONFIG, $REGISTRY_AUTH_FILE), which docker, podman and others then use as well.',
    '',
    'Options:',
    optionsHelp(LOGIN_OPTIONS),
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong options.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function login(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(args, LOGIN_OPTIONS, ['HOST'])
  const [host = ''] = positionals
  checkHost(host)
  const { 'tls-verify': tlsVerify, 'plain-http': plainHttp, tls } = values
  const connection = readConnection({ creds: undefined, tlsVerify, plainHttp, tls }, '')
  return untilInterrupted(async (signal) => {
    const username = values.username ?? (await askFor('--username', () => ask('Username: ', signal)))
    const password = values['password-stdin']
      ? await readSecret()
      : await askFor('--password-stdin', () => askSecret('Password: ', signal))
    if (username === '' || password === '') throw new CliError('a login needs a username and a password', EXIT_USAGE)
    const credentials = { username, password }
    const registry = await connect(host, { ...connection, credentials })
    try {
      await registry.ping({ signal })
    } catch (error) {
      if (!RegistryError.is(error, 'UNAUTHORIZED')) throw error
      throw new CliError(`${host} refuses this login: ${error.message}`, undefined, { cause: error })
    } finally {
      await registry.close()
    }
    const { path, helper } = await storeCredentials(registry.name, credentials, { signal })
    const where = helper === undefined ? `in ${path}, which is not encrypted` : `with docker-credential-${helper}`
    console.log(`logged in to ${registry.name}; kept ${where}`)
    return EXIT_OK
  })
}

export function logoutHelp(): string {
  return [
    'Usage: wharfage logout HOST',
    '',
    'Forgets a login that docker, podman or wharfage login wrote down.',
    '',
    'Exit codes: 0 done, also where there was none, 1 failed, 2 wrong options.',
  ].join('\n')
}

/** @throws {@link CliError} */
export async function logout(args: readonly string[]): Promise<number> {
  const { positionals } = parseCommandLine(args, {}, ['HOST'])
  const [host = ''] = positionals
  checkHost(host)
  const registry = await connect(host, { tlsVerify: true })
  await registry.close()
  const kept = await eraseCredentials(registry.name)
  console.log(kept === undefined ? `there was no login for ${registry.name}` : `logged out of ${registry.name}`)
  return EXIT_OK
}

function checkHost(host: string): void {
  const [, bare] = /^docker:\/\/([^/]+)\/?$/.exec(host) ?? []
  if (bare !== undefined) throw new CliError(`${host}: a login is for a host: write ${bare}`, EXIT_USAGE)
}

async function askFor(option: string, question: () => Promise<string>): Promise<string> {
  if (isInteractive()) return question()
  throw new CliError(`without a terminal to ask on, a login needs ${option}`, EXIT_USAGE)
}
