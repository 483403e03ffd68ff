import { spawn } from 'node:child_process'
import { RegistryError } from '../../errors.ts'
import { isJsonObject, readJson } from '../../spec/json-scan.ts'
import type { Credentials } from './credentials.ts'

export interface HelperOptions {
  /** How long a helper may take, in milliseconds: it may have to ask a person to unlock something. Default: 60,000. */
  readonly helperTimeoutMs?: number
  /** With `PATH`, and what the helper itself reads. */
  readonly env: NodeJS.ProcessEnv
  /** Ends the program; its reason is thrown. */
  readonly signal?: AbortSignal | undefined
}

/** Bytes of what a helper may say. */
const MAX_OUTPUT_BYTES = 64 * 1024
/** The user name that marks an identity token. */
const TOKEN_USERNAME = '<token>'
/** By docker-credential-helpers, and so by all that are built with it; some put their own words round it. */
const NOT_FOUND = 'credentials not found'

/**
 * A program that keeps logins, `docker-credential-NAME`: gets a word as its argument, its input on stdin, and answers on stdout.
 *
 * @see https://github.com/docker/docker-credential-helpers
 */
export class CredentialHelper {
  readonly #program: string
  readonly #options: HelperOptions

  constructor(name: string, options: HelperOptions) {
    this.#program = `docker-credential-${name}`
    this.#options = options
  }

  /** @throws `RegistryError` `UNKNOWN` when the helper fails: then it cannot be told whether there are any */
  async get(key: string): Promise<Credentials | undefined> {
    const { status, output } = await this.#run('get', key)
    if (status !== 0 && isNotFound(output)) return undefined
    if (status !== 0) throw this.#failed(`cannot say what it has for ${key}: it ends with ${status}`)
    const reading = readJson(output)
    if (reading.problem !== undefined || !isJsonObject(reading.value)) {
      throw this.#failed('does not answer with a JSON object')
    }
    const { Username: username = '', Secret: secret = '' } = reading.value
    if (typeof username !== 'string' || typeof secret !== 'string')
      throw this.#failed('answers with no Username and Secret')
    if (secret === '') return undefined
    if (username === TOKEN_USERNAME) return { identityToken: secret }
    if (username === '') throw this.#failed('answers without a Username')
    return { username, password: secret }
  }

  /** @throws `RegistryError` `UNKNOWN`; `UNSUPPORTED` for a registry token, which helpers have no place for */
  async store(key: string, credentials: Credentials): Promise<void> {
    if ('registryToken' in credentials) {
      throw new RegistryError('UNSUPPORTED', { message: `${this.#program} keeps passwords and identity tokens alone` })
    }
    const isToken = 'identityToken' in credentials
    const entry = {
      ServerURL: key,
      Username: isToken ? TOKEN_USERNAME : credentials.username,
      Secret: isToken ? credentials.identityToken : credentials.password,
    }
    const { status } = await this.#run('store', JSON.stringify(entry))
    if (status !== 0) throw this.#failed(`does not keep the credentials for ${key}: it ends with ${status}`)
  }

  /** What it does not have it need not forget. @throws `RegistryError` `UNKNOWN` */
  async erase(key: string): Promise<void> {
    const { status, output } = await this.#run('erase', key)
    if (status === 0 || isNotFound(output)) return
    throw this.#failed(`does not forget the credentials for ${key}: it ends with ${status}`)
  }

  #run(
    action: 'get' | 'store' | 'erase',
    input: string,
  ): Promise<{ readonly status: number; readonly output: Buffer }> {
    const { env, signal, helperTimeoutMs = 60_000 } = this.#options
    const timeout = AbortSignal.timeout(helperTimeoutMs)
    const ends = signal ? AbortSignal.any([signal, timeout]) : timeout
    return new Promise((resolve, reject) => {
      // What it says on stderr is for people, and may be anything.
      const child = spawn(this.#program, [action], {
        env,
        signal: ends,
        stdio: ['pipe', 'pipe', 'ignore'],
        windowsHide: true,
      })
      const chunks: Buffer[] = []
      let size = 0
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.byteLength
        if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk)
        else child.kill()
      })
      child.stdin.on('error', () => {}) // one that does not read what it is told says so by its status
      child.stdin.end(input)
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (signal?.aborted) reject(signal.reason as Error)
        else if (timeout.aborted) reject(this.#failed(`has not answered within ${helperTimeoutMs} ms`, error))
        else if (error.code === 'ENOENT')
          reject(this.#failed('is not there: install it, or take it out of the file', error))
        else reject(this.#failed(`does not start: ${error.code}`, error))
      })
      child.on('close', (code) => {
        if (size > MAX_OUTPUT_BYTES) reject(this.#failed(`says more than ${MAX_OUTPUT_BYTES} bytes`))
        else resolve({ status: code ?? -1, output: Buffer.concat(chunks) })
      })
    })
  }

  /** Without what it said: among it may be a secret. */
  #failed(what: string, cause?: unknown): RegistryError {
    return new RegistryError('UNKNOWN', { message: `the credential helper ${this.#program} ${what}`, cause })
  }
}

function isNotFound(output: Buffer): boolean {
  return output.toString('utf8').toLowerCase().includes(NOT_FOUND)
}
