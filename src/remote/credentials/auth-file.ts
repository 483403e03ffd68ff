// The file that docker and podman keep logins in: `{ "auths": { "registry.example": { "auth": "…" } }, "credHelpers": …, "credsStore": … }`.
import { readFile } from 'node:fs/promises'
import { RegistryError } from '../../errors.ts'
import { isJsonObject, type JsonObject, readJson } from '../../spec/json-scan.ts'
import type { Credentials } from './credentials.ts'
import { isKeyOf, keysOf } from './registry-keys.ts'

/** Where it was read, and what is in it. */
export interface AuthFile {
  /** A path, or the name of a variable: for messages. */
  readonly name: string
  /** `{}` where there is no file. */
  readonly content: JsonObject
}

/** @throws `RegistryError` `UNKNOWN`, naming the file and never its content, when it cannot be read or is not JSON */
export async function readAuthFile(path: string): Promise<AuthFile> {
  return parseAuthFile(path, await readOrEmpty(path))
}

/** @throws `RegistryError` `UNKNOWN` when it is no JSON object */
export function parseAuthFile(name: string, text: Uint8Array): AuthFile {
  if (text.byteLength === 0) return { name, content: {} } // as Docker has it
  const reading = readJson(text)
  if (reading.problem !== undefined) throw unreadable(name, reading.problem)
  if (!isJsonObject(reading.value)) throw unreadable(name, 'not a JSON object')
  return { name, content: reading.value }
}

/** Bytes of the file; none where it does not exist. @throws `RegistryError` `UNKNOWN` */
export async function readOrEmpty(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    // A path of Node's own errors: https://nodejs.org/api/errors.html#class-systemerror
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return new Uint8Array()
    throw unreadable(path, code ?? 'it cannot be read', cause)
  }
}

/**
 * The helper program that a registry's credentials are with, and the key that it has them under.
 *
 * @throws `RegistryError` `UNKNOWN` for a name that is no name of a program
 */
export function helperOf(
  file: AuthFile,
  registry: string,
): { readonly helper: string; readonly key: string } | undefined {
  const helpers = objectIn(file.content, 'credHelpers')
  const keys = keysOf(registry)
  const key = keys.find((candidate) => Object.hasOwn(helpers, candidate) && helpers[candidate] !== '')
  const helper = key === undefined ? file.content.credsStore : helpers[key]
  if (helper === undefined || helper === '') return undefined
  if (typeof helper !== 'string' || !/^[\w.-]+$/.test(helper)) {
    throw unreadable(
      file.name,
      `its ${key === undefined ? 'credsStore' : `credHelpers for ${key}`} is not the name of a helper`,
    )
  }
  return { helper, key: key ?? keys[0] }
}

/**
 * What is written down for a repository, or else for its registry. Podman files credentials for a namespace under `host/namespace`:
 * the most of the name that has some wins.
 *
 * @throws `RegistryError` `UNKNOWN` for an entry that cannot be read
 */
export function credentialsIn(
  file: AuthFile,
  registry: string,
  repository: string | undefined,
): Credentials | undefined {
  const auths = objectIn(file.content, 'auths')
  for (const key of [...namespaceKeys(registry, repository), ...keysOf(registry)]) {
    const found = Object.hasOwn(auths, key) ? readEntry(file.name, key, auths[key]) : undefined
    if (found !== undefined) return found
  }
  // Written by old clients: https://registry.example/v1/
  for (const key of Object.keys(auths)) {
    const found = isKeyOf(key, registry) ? readEntry(file.name, key, auths[key]) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** Of `docker.io` and `library/ubuntu`: `docker.io/library/ubuntu`, `docker.io/library`. */
function namespaceKeys(registry: string, repository: string | undefined): readonly string[] {
  const segments = repository?.split('/') ?? []
  return segments.map((_, index) => [registry, ...segments.slice(0, segments.length - index)].join('/'))
}

/** `undefined` for an entry that only says that a helper has the credentials. */
function readEntry(name: string, key: string, entry: unknown): Credentials | undefined {
  if (!isJsonObject(entry)) throw unreadable(name, `its entry for ${key} is no object`)
  const { auth, username, password, identitytoken, registrytoken } = entry
  if (typeof registrytoken === 'string' && registrytoken !== '') return { registryToken: registrytoken }
  // Beside it is a user name with an empty password.
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken }
  if (typeof auth === 'string' && auth !== '') return decodeAuth(name, key, auth)
  const isPair = typeof username === 'string' && username !== '' && typeof password === 'string'
  return isPair ? { username, password } : undefined
}

/** Old clients filled the password up with NUL. */
function decodeAuth(name: string, key: string, auth: string): Credentials {
  const isBase64 = /^[A-Za-z0-9+/\s]+(?:={1,2}\s*)?$/.test(auth)
  const text = isBase64 ? Buffer.from(auth, 'base64').toString('utf8') : ''
  const colon = text.indexOf(':')
  if (colon < 1) throw unreadable(name, `the auth of its entry for ${key} is not the base64 of USER:PASSWORD`)
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/(?<!\0)\0+$/, '') }
}

export function objectIn(content: JsonObject, name: string): JsonObject {
  const value = content[name]
  return isJsonObject(value) ? value : {}
}

function unreadable(name: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError('UNKNOWN', { message: `cannot read the credentials in ${name}: ${why}`, cause })
}
