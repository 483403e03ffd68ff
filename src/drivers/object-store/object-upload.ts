import type { ByteSource } from '../../bytes.ts'
import {
  type AppendOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  type SealedUpload,
} from '../../storage/driver.ts'
import { checkKey } from '../key.ts'
import { DirectUpload } from './direct-upload.ts'
import type { StagedUpload, UploadContext } from './staged-upload.ts'

/** An upload: straight to its place where that is known before the first byte, else staged. */
export class ObjectUpload implements DriverUpload {
  readonly #context: UploadContext
  readonly #key: string
  readonly #staged: StagedUpload
  #direct: DirectUpload | undefined
  #committed: string | undefined
  #isGone = false

  constructor(context: UploadContext, key: string, staged: StagedUpload) {
    this.#context = context
    this.#key = key
    this.#staged = staged
  }

  get size(): number {
    return this.#current.size
  }

  async append(content: ByteSource, options: AppendOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    this.#requireThere()
    const { target, durable } = options
    if (target === undefined || durable !== false || this.size > 0) {
      // What is on its way to one place cannot be continued at another.
      if (this.#direct !== undefined && this.size > 0)
        throw new Error('bytes that went straight to their place are all')
      this.#direct = undefined
      return this.#staged.append(content, options)
    }
    this.#direct = new DirectUpload(this.#context.store, target, `${this.#key}.`)
    return this.#direct.append(content, options)
  }

  async seal(options?: DriverOptions): Promise<SealedUpload> {
    options?.signal?.throwIfAborted()
    this.#requireThere()
    return this.#current.seal()
  }

  async commit(key: string, options?: DriverOptions): Promise<void> {
    checkKey(key)
    options?.signal?.throwIfAborted()
    if (this.#committed === key) return
    this.#requireThere()
    await this.#current.commit(key)
    this.#committed = key
  }

  async discard(beside: readonly string[] = []): Promise<void> {
    this.#isGone = true
    await this.#direct?.discard()
    await this.#staged.discard(beside)
  }

  /** What went straight to its place, and was not published, nobody can go on with. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#committed === undefined) await this.#direct?.discard().catch(() => {}) // its age removes it later
  }

  get #current(): DirectUpload | StagedUpload {
    return this.#direct ?? this.#staged
  }

  #requireThere(): void {
    if (this.#isGone || this.#committed !== undefined) throw new KeyNotFoundError(this.#key)
  }
}
