import { readFile } from 'node:fs/promises'
import { type AccessController, anyone } from '../auth/access.ts'
import { basicAccess } from '../auth/basic/basic-access.ts'
import { htpasswd } from '../auth/basic/htpasswd.ts'
import { clientCertificate } from '../auth/client-certificate.ts'
import { loggedIn, type Permissions } from '../auth/identity.ts'
import { identityAccess } from '../auth/identity-access.ts'
import { tokenIssuer } from '../auth/issuer/token-issuer.ts'
import { rulesFile } from '../auth/rules/rules-file.ts'
import { sameOrigin } from '../auth/same-origin.ts'
import { nearest } from '../nearest.ts'
import { CliError, fileProblemOf, messageOf, systemCodeOf } from './cli-error.ts'

/** What the command line says of who may do what: names of files. */
export interface AccessOptions {
  readonly htpasswd: string | undefined
  readonly rules: string | undefined
  /** `generate`, or a file with a private key. */
  readonly tokenIssuer: string | undefined
  /** Whether clients show certificates. */
  readonly hasClientCa: boolean
}

/**
 * Reads the files, so that a mistake in one is told now.
 *
 * @throws {@link CliError}
 */
export async function openAccess(options: AccessOptions): Promise<AccessController> {
  const { htpasswd: file, tokenIssuer: key, hasClientCa } = options
  if (file === undefined && !hasClientCa) return anyone()
  const permissions = await readRules(options)
  if (file === undefined) {
    // Browsers show them to whatever page has a request sent.
    return identityAccess({ authenticate: sameOrigin(clientCertificate()), permissions })
  }
  const users = htpasswd({ file })
  await explained('--htpasswd', users.ready())
  if (key === undefined) return basicAccess({ check: users, permissions })
  const keys = key === 'generate' ? undefined : await readKey(key)
  try {
    return tokenIssuer({ check: users, identity: users.identity, permissions, ...(keys !== undefined && { keys }) })
  } catch (cause) {
    throw new CliError(`--token-issuer ${key}: ${messageOf(cause)}`, undefined, { cause })
  }
}

function readRules({ rules, tokenIssuer: key }: AccessOptions): Promise<Permissions> | Permissions {
  if (rules === undefined) return loggedIn
  return explained('--rules', rulesFile({ file: rules, anonymous: key === undefined ? 'refuse' : 'allow' }))
}

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const reason = systemCodeOf(cause) === 'ENOENT' ? missingKey(file) : fileProblemOf(cause)
    throw new CliError(`--token-issuer ${file}: ${reason}`, undefined, { cause })
  }
}

function missingKey(file: string): string {
  if (nearest(file, ['generate']) !== undefined) return 'no such file: did you mean generate?'
  return 'no such file. Make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256'
}

async function explained<T>(option: string, opening: Promise<T>): Promise<T> {
  try {
    return await opening
  } catch (cause) {
    throw new CliError(`${option} ${messageOf(cause)}`, undefined, { cause })
  }
}
