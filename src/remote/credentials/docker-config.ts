import { homedir } from 'node:os'
import { join } from 'node:path'
import { checkOptions } from '../../arguments.ts'
import { type AuthFile, credentialsIn, helperOf, parseAuthFile, readAuthFile } from './auth-file.ts'
import { CredentialHelper, type HelperOptions } from './credential-helper.ts'
import type { CredentialContext, CredentialSource, Credentials } from './credentials.ts'

export interface DockerConfigOptions {
  /** The one file to read. Default: those that docker and podman read, by the variables that they have. */
  readonly path?: string
  /** Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv
  /** Where the user's own files are. Default: the home directory. */
  readonly home?: string
  /** How long a credential helper may take, in milliseconds. Default: 60,000. */
  readonly helperTimeoutMs?: number
}

/**
 * The logins that docker and podman know, read anew at each question. The first that has some for the registry, of:
 *
 * 1. `$DOCKER_AUTH_CONFIG`, a file's content
 * 2. `$REGISTRY_AUTH_FILE`, which podman has for one file in place of others
 * 3. `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`: where `wharfage login` writes, and hence before podman's
 * 4. `$XDG_RUNTIME_DIR/containers/auth.json`
 * 5. `$XDG_CONFIG_HOME/containers/auth.json`, or `~/.config/containers/auth.json`
 *
 * Of each, the helper that `credHelpers` or `credsStore` names, and then `auths`. The source throws a `RegistryError` `UNKNOWN`
 * for a file that cannot be read and a helper that fails: whether there is a login cannot be told then.
 *
 * @see https://docs.docker.com/reference/cli/docker/login/
 * @see https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
 */
export function dockerConfig(options: DockerConfigOptions = {}): CredentialSource {
  checkOptions('dockerConfig()', options, { path: true, env: true, home: true, helperTimeoutMs: true })
  const { path, env = process.env, home = homedir(), helperTimeoutMs } = options
  return async (registry, context) => {
    const inline = env.DOCKER_AUTH_CONFIG
    const files = path === undefined ? authFiles(env, home) : [path]
    const inlineFile =
      path === undefined && inline ? parseAuthFile('$DOCKER_AUTH_CONFIG', Buffer.from(inline)) : undefined
    const helperOptions = { env, signal: context.signal, ...(helperTimeoutMs !== undefined && { helperTimeoutMs }) }
    const find = (file: AuthFile) => findIn(file, registry, context, helperOptions)
    const found = inlineFile && (await find(inlineFile))
    if (found !== undefined) return found
    for (const file of files) {
      const credentials = await find(await readAuthFile(file))
      if (credentials !== undefined) return credentials
    }
    return undefined
  }
}

/** The file that a login is written to. */
export function loginFile(env: NodeJS.ProcessEnv, home: string): string {
  if (env.REGISTRY_AUTH_FILE) return env.REGISTRY_AUTH_FILE
  return dockerFile(env, home)
}

async function findIn(
  file: AuthFile,
  registry: string,
  { repository }: CredentialContext,
  options: HelperOptions,
): Promise<Credentials | undefined> {
  const named = helperOf(file, registry)
  const kept = named && (await new CredentialHelper(named.helper, options).get(named.key))
  return kept ?? credentialsIn(file, registry, repository)
}

function authFiles(env: NodeJS.ProcessEnv, home: string): readonly string[] {
  const { REGISTRY_AUTH_FILE: chosen, XDG_RUNTIME_DIR: runtime, XDG_CONFIG_HOME: config } = env
  return [
    ...(chosen ? [chosen] : []),
    dockerFile(env, home),
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    join(config || join(home, '.config'), 'containers', 'auth.json'),
  ]
}

function dockerFile({ DOCKER_CONFIG: directory }: NodeJS.ProcessEnv, home: string): string {
  return join(directory || join(home, '.docker'), 'config.json')
}
