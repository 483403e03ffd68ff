import { CliError, EXIT_USAGE } from './cli-error.ts'
import type { ConnectionOptions } from './locations/location.ts'

interface ConnectionValues {
  readonly creds: string | undefined
  readonly tlsVerify: string
  readonly plainHttp: boolean
  readonly tls: boolean
}

/** @param side - what stands before the options' names: `src-`, or nothing. @throws {@link CliError} */
export function readConnection(
  { creds, tlsVerify, plainHttp, tls }: ConnectionValues,
  side: string,
): ConnectionOptions {
  if (tlsVerify !== 'true' && tlsVerify !== 'false') {
    throw new CliError(`--${side}tls-verify ${tlsVerify}: expected true or false`, EXIT_USAGE)
  }
  if (plainHttp && tls) {
    throw new CliError(`--${side}tls and --${side}plain-http are opposites: give one of them`, EXIT_USAGE)
  }
  const colon = creds?.indexOf(':') ?? -1
  // What was given is not repeated: half of it may be the password.
  if (creds !== undefined && colon < 1) throw new CliError(`--${side}creds: expected USER:PASSWORD`, EXIT_USAGE)
  return {
    tlsVerify: tlsVerify === 'true',
    ...((plainHttp || tls) && { protocol: tls ? 'https' : 'http' }),
    ...(creds !== undefined && {
      credentials: { username: creds.slice(0, colon), password: creds.slice(colon + 1) },
    }),
  }
}
