import { RegistryError } from '../../errors.ts'
import { dockerConfig } from '../../remote/credentials/docker-config.ts'
import { RemoteBackend } from '../../remote/remote-backend.ts'
import { proxyFromEnvironment } from '../../remote/transport/proxy.ts'
import { parseReference } from '../../spec/reference.ts'
import { CliError, EXIT_USAGE, messageOf } from '../cli-error.ts'
import type { ConnectionOptions, LocationKind } from './location.ts'

/** `docker://HOST/REPOSITORY[:TAG|@DIGEST]`, `docker://HOST/` for all repositories. */
export const registryLocation: LocationKind = {
  form: 'docker://[HOST/]REPOSITORY[:TAG|@DIGEST]',
  help: 'a registry, by a reference as Docker reads it; docker://HOST/ is all its repositories',
  open: async (rest, options) => {
    if (!rest.startsWith('//')) throw new CliError(`docker:${rest}: write docker://${rest}`, EXIT_USAGE)
    const text = rest.slice(2)
    const whole = /^([^/]+)\/$/.exec(text)?.[1]
    if (whole !== undefined) {
      const backend = await connect(whole, options)
      return { backend, host: backend.name, close: () => backend.close() }
    }
    const { registry, repository, tag, digest } = readReference(text)
    const backend = await connect(registry, options)
    // Where both are given, the tag is only what the image was called.
    const reference = digest ?? (/[:@][^/:@]*$/.test(text) ? tag : undefined)
    return {
      backend,
      repository,
      host: registry,
      defaultReference: 'latest',
      ...(reference !== undefined && { reference }),
      close: () => backend.close(),
    }
  },
}

/** @throws {@link CliError} for what is no host */
export async function connect(host: string, options: ConnectionOptions): Promise<RemoteBackend> {
  const { credentials = dockerConfig(), tlsVerify, protocol } = options
  try {
    return new RemoteBackend(protocol === undefined ? host : `${protocol}://${host}`, {
      credentials,
      ...(!tlsVerify && { tls: { insecure: true } }),
      ...(usesProxy() && { proxy: await proxyFromEnvironment() }),
    })
  } catch (error) {
    throw new CliError(messageOf(error), EXIT_USAGE, { cause: error })
  }
}

/** Without one, the packages that it takes need not be there. */
function usesProxy(): boolean {
  return ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'].some((name) => process.env[name] || process.env[name.toLowerCase()])
}

function readReference(text: string) {
  try {
    return parseReference(text)
  } catch (error) {
    if (!RegistryError.is(error)) throw error
    throw new CliError(`docker://${text}: ${error.message}`, EXIT_USAGE, { cause: error })
  }
}
