import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { type ByteBody, type ByteSource, bytesBody, streamBody } from '../../bytes.ts'
import {
  type AppendOptions,
  type DriverOptions,
  KeyNotFoundError,
  PreconditionFailedError,
  type SealedUpload,
  UploadTakenOverError,
} from '../../storage/driver.ts'
import { consume } from '../consume.ts'
import type { ObjectStore } from './object-store.ts'
import { PART_BYTES, stagedPartBytes } from './part-sizes.ts'
import { PartWriter } from './part-writer.ts'
import { readObject } from './read-object.ts'
import { formatSession, MAX_INLINE_TAIL_BYTES, parseSession, type Session, type StagedPart, sizeOf } from './session.ts'

/** Parts that are joined to one within the store, so that an upload of any length has a short session and few parts to copy. */
const JOINED_PARTS = 1_000

/** What all uploads of one driver share. */
export interface UploadContext {
  readonly store: ObjectStore
  /** Tells sessions that this driver wrote from those of others. */
  readonly writer: string
  /** Removes a folder, by its key, and all that is in it. */
  readonly removeFolder: (prefix: string) => Promise<void>
}

/**
 * An upload of more than one request. Its bytes are objects that nobody changes once they are there, and what belongs to it is
 * what the {@link Session} names: written last, on condition that nobody else wrote one since, it makes an append count or
 * not, as a whole. Whoever loses that race has left objects that nothing names, and removes them.
 */
export class StagedUpload {
  readonly #context: UploadContext
  readonly #key: string
  /** Whether there may be objects in the folder that no session we know of names. */
  #mayHaveStrays: boolean
  #session: Session
  /** Of the session as stored; `undefined` while none is. */
  #version: string | undefined
  /** Parts that no session names any more. */
  #obsolete: string[] = []

  constructor(context: UploadContext, key: string, mayHaveStrays: boolean) {
    this.#context = context
    this.#key = key
    this.#mayHaveStrays = mayHaveStrays
    this.#session = { parts: [], tail: new Uint8Array(), sealed: false, writer: context.writer, shared: false }
  }

  /** @throws {@link KeyNotFoundError} when no session is stored */
  static async resume(context: UploadContext, key: string, options?: DriverOptions): Promise<StagedUpload> {
    const stored = await readObject(context.store, sessionKey(key), options)
    const session = parseSession(sessionKey(key), stored.content)
    const isOther = session.writer !== context.writer
    const upload = new StagedUpload(context, key, session.shared || isOther)
    upload.#session = { ...session, writer: context.writer, shared: session.shared || isOther }
    upload.#version = stored.stat.version
    return upload
  }

  get size(): number {
    return sizeOf(this.#session)
  }

  async append(content: ByteSource, options: AppendOptions): Promise<void> {
    if (this.#session.sealed) throw new UploadTakenOverError('the upload is being finished by another request')
    const { parts, head } = await this.#reopened(options)
    const sink = new StagedParts(this.#context.store, this.#key, parts, (joined) => this.#checkpoint(joined))
    const writer = new PartWriter(sink, options.observe)
    writer.prepend(head)
    let interrupted: { readonly error: unknown } | undefined
    let received = false
    const accept = (chunk: Uint8Array) => {
      received ||= chunk.byteLength > 0
      return writer.accept(chunk)
    }
    try {
      await consume(content, accept, options.signal)
    } catch (error) {
      interrupted = { error }
    }
    if (received) await this.#keep(sink, writer, options.durable !== false || interrupted !== undefined)
    if (interrupted) throw interrupted.error
  }

  async seal(): Promise<SealedUpload> {
    if (!this.#session.sealed) {
      const sealed = { ...this.#session, sealed: true }
      // One that was never stored cannot be found by anybody else.
      if (this.#version !== undefined) await this.#save(await this.#withoutLongTail(sealed))
      else this.#session = sealed
    }
    return {
      size: this.size,
      exclusive: !this.#session.shared,
      read: (options) => this.#read(options),
    }
  }

  async commit(target: string): Promise<void> {
    await this.seal()
    const { store } = this.#context
    if (this.#session.parts.length === 0) {
      await store.put(target, this.#session.tail)
      return
    }
    const { parts } = await this.#withoutLongTail(this.#session, 0)
    this.#session = { ...this.#session, parts, tail: new Uint8Array() }
    const sources = parts.map(({ name, size }) => ({ key: partKey(this.#key, name), size }))
    await store.copy(sources, target, `${this.#key}.`)
    if (this.#mayHaveStrays) await store.abandonAll({ key: target, scratch: `${this.#key}.` })
  }

  async discard(beside: readonly string[]): Promise<void> {
    const { store, removeFolder } = this.#context
    if (this.#mayHaveStrays) return removeFolder(this.#key.slice(0, this.#key.lastIndexOf('/')))
    const staged = [...this.#session.parts.map(({ name }) => name), ...this.#obsolete]
    // What shows the upload goes first: without its bytes it would be taken for one that has none yet.
    const keys = [...beside, ...staged.map((name) => partKey(this.#key, name))]
    if (this.#version !== undefined) keys.push(sessionKey(this.#key))
    if (keys.length > 0) await store.deleteAll(keys)
  }

  /** What an append goes on from: the last part, where it is too small to stay one, is written anew with what follows. */
  async #reopened(
    options: DriverOptions,
  ): Promise<{ readonly parts: readonly StagedPart[]; readonly head: Uint8Array }> {
    const { parts, tail } = this.#session
    const last = parts.at(-1)
    if (last === undefined || last.size >= this.#context.store.minPartBytes) return { parts, head: tail }
    const { content } = await readObject(this.#context.store, partKey(this.#key, last.name), options)
    if (content.byteLength !== last.size) throw new Error(`upload ${this.#key} lost bytes of its part ${last.name}`)
    return { parts: parts.slice(0, -1), head: tail.byteLength > 0 ? Buffer.concat([content, tail]) : content }
  }

  /** Makes what arrived part of the upload; where that fails, the upload is what it was before. */
  async #keep(sink: StagedParts, writer: PartWriter, isDurable: boolean): Promise<void> {
    try {
      if (isDurable && writer.rest.byteLength > MAX_INLINE_TAIL_BYTES) await writer.flush()
      await writer.settle()
      const next = { ...this.#session, parts: sink.parts, tail: writer.rest }
      if (isDurable) await this.#save(next)
      else this.#adopt(next)
    } catch (error) {
      this.#mayHaveStrays ||= await this.#isLeftBehind(sink)
      throw error
    }
  }

  /** Removes what a failed append wrote; resolves with whether something of it may still be there. */
  async #isLeftBehind(sink: StagedParts): Promise<boolean> {
    await sink.ended()
    const named = new Set(this.#session.parts.map(({ name }) => name))
    const written = sink.written.filter((name) => !named.has(name))
    if (written.length === 0) return false
    const keys = written.map((name) => partKey(this.#key, name))
    return this.#context.store.deleteAll(keys).then(
      () => false,
      () => true,
    )
  }

  /** Between two parts of a long append: what was joined counts from now on. */
  async #checkpoint(parts: readonly StagedPart[]): Promise<void> {
    await this.#save({ ...this.#session, parts, tail: new Uint8Array() })
  }

  /** Turns a tail into a part, where it is longer than `maxTailBytes`. */
  async #withoutLongTail(session: Session, maxTailBytes: number = MAX_INLINE_TAIL_BYTES): Promise<Session> {
    const { parts, tail } = session
    if (tail.byteLength <= maxTailBytes) return session
    const part = { name: partName(parts.length), size: tail.byteLength }
    await this.#context.store.put(partKey(this.#key, part.name), tail)
    return { ...session, parts: [...parts, part], tail: new Uint8Array() }
  }

  #adopt(next: Session): void {
    const named = new Set(next.parts.map(({ name }) => name))
    this.#obsolete.push(...this.#session.parts.flatMap(({ name }) => (named.has(name) ? [] : [name])))
    this.#session = { ...next, tail: next.tail.slice() }
  }

  async #save(next: Session): Promise<void> {
    this.#version = await this.#write(next)
    this.#adopt(next)
    await this.#dropObsolete()
  }

  /** Nobody reads them any more; what resists goes with the upload. */
  async #dropObsolete(): Promise<void> {
    if (this.#obsolete.length === 0) return
    const names = this.#obsolete
    try {
      await this.#context.store.deleteAll(names.map((name) => partKey(this.#key, name)))
      this.#obsolete = this.#obsolete.filter((name) => !names.includes(name))
    } catch {}
  }

  async #write(session: Session): Promise<string | undefined> {
    const { store } = this.#context
    const key = sessionKey(this.#key)
    const isConditional = await store.conditionalPuts()
    // The next best thing: whoever comes between this look and the write is not seen.
    if (!isConditional) await this.#expectUnchanged(key)
    try {
      const condition = isConditional ? { ifVersion: this.#version ?? null } : {}
      return await store.put(key, formatSession(session), condition)
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error
      throw await this.#whoCameFirst(key, error)
    }
  }

  async #expectUnchanged(key: string): Promise<void> {
    const stat = await this.#context.store.stat(key)
    if (stat?.version !== this.#version) throw await this.#whoCameFirst(key)
  }

  async #whoCameFirst(key: string, cause?: unknown): Promise<Error> {
    return (await this.#context.store.stat(key)) === undefined
      ? new KeyNotFoundError(this.#key, { cause })
      : new UploadTakenOverError('another request continued the upload', { cause })
  }

  async #read(options?: DriverOptions): Promise<ByteBody> {
    options?.signal?.throwIfAborted()
    const { parts, tail } = this.#session
    if (parts.length === 0) return bytesBody(tail)
    const { store } = this.#context
    const key = this.#key
    async function* content(): AsyncGenerator<Uint8Array> {
      for (const { name, size } of parts) {
        const opened = await store.open(partKey(key, name), options)
        if (opened === 'beyond' || opened.size !== size) throw new Error(`upload ${key} lost bytes of its part ${name}`)
        yield* opened.stream
      }
      yield tail
    }
    return streamBody(Readable.from(content(), { objectMode: false }), this.size)
  }
}

/** Writes the parts of one append as objects. */
class StagedParts {
  readonly #store: ObjectStore
  readonly #key: string
  readonly #checkpoint: (parts: readonly StagedPart[]) => Promise<void>
  readonly #puts: Promise<unknown>[] = []
  parts: StagedPart[]
  /** Names of all that was put, in the end or not. */
  readonly written: string[] = []

  constructor(
    store: ObjectStore,
    key: string,
    parts: readonly StagedPart[],
    checkpoint: (parts: readonly StagedPart[]) => Promise<void>,
  ) {
    this.#store = store
    this.#key = key
    this.parts = [...parts]
    this.#checkpoint = checkpoint
  }

  partBytes(): number {
    return stagedPartBytes(this.parts.length, this.#store.partBytes ?? PART_BYTES)
  }

  put(content: Uint8Array): Promise<void> {
    const part = { name: partName(this.parts.length), size: content.byteLength }
    this.parts.push(part)
    this.written.push(part.name)
    const put = this.#store.put(partKey(this.#key, part.name), content).then(() => {})
    this.#puts.push(put.catch(() => {}))
    return put
  }

  beforePart(): (() => Promise<void>) | undefined {
    // What is larger than any part has been joined already.
    const largest = stagedPartBytes(Number.POSITIVE_INFINITY, this.#store.partBytes ?? PART_BYTES)
    const unjoined = this.parts.filter(({ size }) => size <= largest)
    return unjoined.length < JOINED_PARTS ? undefined : () => this.#join(unjoined)
  }

  /** Waits for what is still on its way. */
  async ended(): Promise<void> {
    await Promise.all(this.#puts)
  }

  async #join(unjoined: readonly StagedPart[]): Promise<void> {
    const before = this.parts.slice(0, this.parts.length - unjoined.length)
    const joined = { name: partName(before.length), size: unjoined.reduce((sum, { size }) => sum + size, 0) }
    this.written.push(joined.name)
    const sources = unjoined.map(({ name, size }) => ({ key: partKey(this.#key, name), size }))
    await this.#store.copy(sources, partKey(this.#key, joined.name), `${this.#key}.`)
    await this.#checkpoint([...before, joined])
    this.parts = [...before, joined]
  }
}

function sessionKey(key: string): string {
  return `${key}.json`
}

function partKey(key: string, name: string): string {
  return `${key}.${name}`
}

/** Never used twice, by whomever: what is written at it is never replaced. */
function partName(index: number): string {
  return `part-${index}-${randomBytes(6).toString('hex')}`
}
