import { randomUUID } from 'node:crypto'
import { mkdir, open, readlink, realpath, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { checkOptions } from '../../arguments.ts'
import { RegistryError } from '../../errors.ts'
import type { JsonObject } from '../../spec/json-scan.ts'
import { helperOf, objectIn, parseAuthFile, readOrEmpty } from './auth-file.ts'
import { CredentialHelper } from './credential-helper.ts'
import { type Credentials, checkCredentials } from './credentials.ts'
import { type DockerConfigOptions, loginFile } from './docker-config.ts'
import { isKeyOf, keysOf } from './registry-keys.ts'

export interface StoreOptions extends DockerConfigOptions {
  readonly signal?: AbortSignal
}

/** Where credentials are kept. */
export interface KeptIn {
  readonly path: string
  /** The helper that the file names for them, if it does: then they are not in the file. */
  readonly helper?: string
}

const OPTIONS = { path: true, env: true, home: true, helperTimeoutMs: true, signal: true } as const

/**
 * Writes a login down as docker does: with the helper that the file names for the registry, or else in the file, which only its owner
 * can then read. Whatever else is in the file stays as it is.
 *
 * @param options - `path` is the file to write. Default: `$REGISTRY_AUTH_FILE`, or docker's own
 * @throws `RegistryError` `UNKNOWN` when file or helper fail; `UNSUPPORTED` for a registry token that would go to a helper
 */
export async function storeCredentials(
  registry: string,
  credentials: Credentials,
  options: StoreOptions = {},
): Promise<KeptIn> {
  checkOptions('storeCredentials()', options, OPTIONS)
  checkCredentials(credentials)
  const file = await openFile(options)
  const named = helperOf(file, registry)
  const [key] = keysOf(registry)
  if (named === undefined) {
    await file.write({ ...objectIn(file.content, 'auths'), [key]: entryOf(credentials) })
    return { path: file.name }
  }
  await helperFor(named.helper, options).store(named.key, credentials)
  // An empty entry tells people, and docker, that there is a login.
  await file.write({ ...objectIn(file.content, 'auths'), [key]: {} })
  return { path: file.name, helper: named.helper }
}

/**
 * Forgets a login, however its key is written; those for namespaces of the registry stay.
 *
 * @returns where it was; `undefined` when there was none in the file, and no helper
 * @throws `RegistryError` `UNKNOWN` when file or helper fail
 */
export async function eraseCredentials(registry: string, options: StoreOptions = {}): Promise<KeptIn | undefined> {
  checkOptions('eraseCredentials()', options, OPTIONS)
  const file = await openFile(options)
  const named = helperOf(file, registry)
  if (named !== undefined) await helperFor(named.helper, options).erase(named.key)
  const auths = Object.entries(objectIn(file.content, 'auths'))
  const kept = auths.filter(([key]) => !isKeyOf(key, registry))
  if (kept.length < auths.length) await file.write(Object.fromEntries(kept))
  else if (named === undefined) return undefined
  return { path: file.name, ...(named && { helper: named.helper }) }
}

interface OpenFile {
  readonly name: string
  readonly content: JsonObject
  /** The whole file anew, with these as its `auths`. */
  write(auths: JsonObject): Promise<void>
}

async function openFile({ path, env = process.env, home = homedir() }: StoreOptions): Promise<OpenFile> {
  const name = path ?? loginFile(env, home)
  const bytes = await readOrEmpty(name)
  const { content } = parseAuthFile(name, bytes)
  const text = Buffer.from(bytes).toString('utf8')
  return {
    ...{ name, content },
    write: (auths) => replaceFile(name, formatLike(text, { ...content, auths })),
  }
}

function helperFor(name: string, { env = process.env, helperTimeoutMs, signal }: StoreOptions): CredentialHelper {
  return new CredentialHelper(name, { env, signal, ...(helperTimeoutMs !== undefined && { helperTimeoutMs }) })
}

function entryOf(credentials: Credentials): JsonObject {
  if ('registryToken' in credentials) return { registrytoken: credentials.registryToken }
  if ('identityToken' in credentials) return { identitytoken: credentials.identityToken }
  return { auth: Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64') }
}

/** Indented as it was; by tabs where there was nothing, as docker does. */
function formatLike(text: string, content: JsonObject): string {
  const [, indent = text === '' || text.includes('\n') ? '\t' : ''] = /\n([ \t]+)"/.exec(text) ?? []
  return JSON.stringify(content, null, indent) + (text.endsWith('\n') ? '\n' : '')
}

/** In one step, so that nobody reads half a file; through a link to where it leads, for people keep these files elsewhere. */
async function replaceFile(path: string, text: string): Promise<void> {
  try {
    const target = await linkTarget(path)
    const directory = dirname(target)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const temporary = join(directory, `.${basename(target)}.${randomUUID()}`)
    try {
      const handle = await open(temporary, 'wx', 0o600)
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException // of node:fs
    throw new RegistryError('UNKNOWN', { message: `cannot write the credentials to ${path}: ${code}`, cause })
  }
}

async function linkTarget(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    // No file, or a link to one that is yet to be made.
    return readlink(path).then(
      (to) => resolve(dirname(path), to),
      () => path,
    )
  }
}
