import { RegistryError } from '../errors.ts'
import { CliError, EXIT_OK } from './cli-error.ts'
import { readConnection } from './connection.ts'
import { untilInterrupted } from './interrupt.ts'
import type { OpenLocation } from './locations/location.ts'
import { openLocation } from './locations.ts'

interface ConnectionFlags {
  readonly creds: string | undefined
  readonly 'tls-verify': string
  readonly 'plain-http': boolean
  readonly tls: boolean
}

/** Opens the one location of a command, runs it, and closes it. @returns the exit code */
export async function withLocation(
  text: string,
  flags: ConnectionFlags,
  task: (location: OpenLocation, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const { creds, 'tls-verify': tlsVerify, 'plain-http': plainHttp, tls } = flags
  const connection = readConnection({ creds, tlsVerify, plainHttp, tls }, '')
  return untilInterrupted(async (signal) => {
    const location = await openLocation(text, { ...connection, role: 'source' })
    try {
      await task(location, signal)
    } catch (error) {
      throw named(error, location)
    } finally {
      await location.close()
    }
    return EXIT_OK
  })
}

/** What is absent, with its name: the tag may be the one that nobody has typed. */
function named(error: unknown, { repository, reference, defaultReference }: OpenLocation): unknown {
  if (repository === undefined || error instanceof CliError) return error
  const tag = reference ?? defaultReference
  const image = tag === undefined ? repository : `${repository}${tag.includes(':') ? '@' : ':'}${tag}`
  if (RegistryError.is(error, 'MANIFEST_UNKNOWN'))
    return new CliError(`${image}: ${error.message}`, undefined, { cause: error })
  if (RegistryError.is(error, 'NAME_UNKNOWN'))
    return new CliError(`${repository}: ${error.message}`, undefined, { cause: error })
  return error
}
