import type { OperationContext } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import type { CredentialSource, Credentials } from '../credentials/credentials.ts'
import { fits } from './header.ts'
import { SharedCalls } from './shared-calls.ts'

interface Known {
  readonly credentials: Credentials | undefined
  readonly askedAt: number
}

/** Of so many repositories; then all are asked for anew. */
const MAX_KNOWN = 1_000
/** A source may start a program: what it said so lately is not asked again, however often it is refused. */
const ASK_AGAIN_MS = 10_000

/** What a source said, so that it is asked once and not for every request: reading files, starting helpers. */
export class KnownCredentials {
  readonly #registry: string
  readonly #source: CredentialSource
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  readonly #asking = new SharedCalls<Known>()

  constructor(registry: string, source: CredentialSource, now: () => number) {
    this.#registry = registry
    this.#source = source
    this.#now = now
  }

  /** @throws what the source throws, and {@link RegistryError} `UNKNOWN` for a token that cannot be sent */
  async get(repository: string | undefined, context: OperationContext): Promise<Credentials | undefined> {
    const known = this.#known.get(repository ?? '') ?? (await this.#ask(repository, context))
    return known.credentials
  }

  /**
   * Asks the source again, for what it gave has been refused: helpers give passwords that end, and people log in.
   *
   * @returns whether it gives something else by now
   */
  async renew(repository: string | undefined, context: OperationContext): Promise<boolean> {
    const known = this.#known.get(repository ?? '')
    if (known !== undefined && this.#now() - known.askedAt < ASK_AGAIN_MS) return false
    const { credentials } = await this.#ask(repository, context)
    return JSON.stringify(credentials) !== JSON.stringify(known?.credentials)
  }

  /** What a token server gave in place of an identity token: kept in memory alone, as Docker does. */
  replaceIdentityToken(repository: string | undefined, identityToken: string): void {
    const known = this.#known.get(repository ?? '')
    if (known?.credentials === undefined || !('identityToken' in known.credentials)) return
    this.#known.set(repository ?? '', { ...known, credentials: { identityToken } })
  }

  #ask(repository: string | undefined, context: OperationContext): Promise<Known> {
    const ask = async (signal: AbortSignal) => {
      const credentials = await this.#source(this.#registry, {
        ...context,
        signal,
        ...(repository !== undefined && { repository }),
      })
      if (credentials !== undefined && 'registryToken' in credentials && !fits(credentials.registryToken)) {
        const message = `the token for ${this.#registry} fits into no header: it has characters that are not printable ASCII`
        throw new RegistryError('UNKNOWN', { message })
      }
      const known = { credentials, askedAt: this.#now() }
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(repository ?? '', known)
      return known
    }
    return this.#asking.run(repository ?? '', ask, context.signal)
  }
}
