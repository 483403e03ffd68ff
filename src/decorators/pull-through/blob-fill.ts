import { createHash } from 'node:crypto'
import { MAX_TIMER_MS } from '../../arguments.ts'
import type { BlobReader, Blobs } from '../../backend.ts'
import { type ByteRange, type ByteStream, streamBody } from '../../bytes.ts'
import { RegistryError } from '../../errors.ts'
import type { Descriptor } from '../../spec/descriptor.ts'
import { algorithmOf, type Digest, finishDigest } from '../../spec/digest.ts'
import { GrowingFile } from './growing-file.ts'
import { untilAborted } from './single-flight.ts'

export interface FillOptions {
  readonly digest: Digest
  /** Opens the blob at its upstream; aborted by `signal` when the fill ends early. */
  readonly openUpstream: (signal: AbortSignal) => Promise<BlobReader>
  /** Where it is to be kept; `undefined` for what is too large for that. */
  readonly target: (size: number) => Blobs | undefined
  /** Where the temporary file is made. */
  readonly directory: string
  /** For how long a fill that nobody waits for goes on, in milliseconds. */
  readonly abandonedMs: number
  /** Told of every chunk that came. */
  readonly onBytes: (bytes: number) => void
  /** The blob is kept now. */
  readonly onStored: (descriptor: Descriptor) => void
  /** It went wrong on the way; nobody else is told when all readers have left. */
  readonly onFailure: (error: unknown, during: 'fetch' | 'store') => void
  /** No more readers can join: it is over, or will end without having got anywhere. Called once. */
  readonly onEnd: () => void
}

/**
 * One blob on its way from its upstream into the local store: fetched once, into a file that grows, from which whoever pulls it
 * reads, and the local store as well. None of them slows the fetch, nor the others.
 */
export class BlobFill {
  readonly #options: FillOptions
  readonly #controller = new AbortController()
  readonly #opened: Promise<GrowingFile>
  #file: GrowingFile | undefined
  /** Resolves when nothing of it runs any longer; never rejects. */
  readonly ended: Promise<void>
  #readers = 0
  #isFetching = true
  #isOver = false
  #isJoinable = true
  #hasFailed = false
  #abandoned: NodeJS.Timeout | undefined

  constructor(options: FillOptions) {
    this.#options = options
    const opening = this.#open()
    this.#opened = opening.then(({ file }) => file)
    this.#opened.catch(() => {}) // whoever waited may have left
    this.ended = opening
      .then(
        ({ file, source }) => this.#run(file, source),
        () => {},
      )
      .finally(() => this.#end())
  }

  /** Bytes that a reader could have at once; none before the upstream has answered. */
  get readable(): number {
    return this.#file?.readable ?? 0
  }

  /**
   * @throws what the upstream could not be opened with
   * @throws {@link RegistryError} `RANGE_INVALID`
   */
  async read(range: ByteRange | undefined, signal: AbortSignal | undefined): Promise<BlobReader> {
    this.#enter()
    try {
      const { digest } = this.#options
      const file = await untilAborted(this.#opened, signal)
      const { size } = file
      const start = range?.start ?? 0
      const end = Math.min(range?.end ?? size, size)
      if (range !== undefined && (start >= size || end <= start)) {
        throw new RegistryError('RANGE_INVALID', { message: `the blob has ${size} bytes`, detail: { size } })
      }
      this.#enter()
      const stream = file.read(start, end, () => this.#leave())
      return { descriptor: describe(digest, size), range: { start, end }, body: streamBody(stream, end - start) }
    } finally {
      this.#leave()
    }
  }

  /** Without reading it. */
  async stat(signal: AbortSignal | undefined): Promise<Descriptor> {
    return describe(this.#options.digest, (await untilAborted(this.#opened, signal)).size)
  }

  /** Ends it and fails its readers with `reason`; what has arrived whole is left to be kept. */
  abort(reason: Error): void {
    if (!this.#isFetching) return
    this.#end()
    this.#controller.abort(reason)
  }

  async #open(): Promise<{ readonly file: GrowingFile; readonly source: ByteStream }> {
    const { body } = await this.#options.openUpstream(this.#controller.signal)
    try {
      this.#file = await GrowingFile.create(this.#options.directory, body.size)
      return { file: this.#file, source: body.stream() }
    } catch (error) {
      await body[Symbol.asyncDispose]()
      throw error
    }
  }

  async #run(file: GrowingFile, source: ByteStream): Promise<void> {
    const storing = this.#store(file)
    try {
      await this.#fetch(file, source)
      file.complete()
    } catch (error) {
      this.#hasFailed = true
      this.#end() // first: who comes back at once to try again must not meet this one
      const failure = this.#controller.signal.aborted ? this.#controller.signal.reason : error
      file.fail(failure instanceof Error ? failure : new Error('the fetch failed', { cause: failure }))
      if (!this.#controller.signal.aborted) this.#options.onFailure(error, 'fetch')
    } finally {
      this.#isFetching = false
      clearTimeout(this.#abandoned)
      await storing
      this.#end()
      this.#isOver = true
      this.#release()
    }
  }

  /** @throws {@link RegistryError} `SIZE_INVALID`, `DIGEST_INVALID` */
  async #fetch(file: GrowingFile, source: ByteStream): Promise<void> {
    const { digest, onBytes } = this.#options
    const { signal } = this.#controller
    const algorithm = algorithmOf(digest)
    const hash = createHash(algorithm)
    const abort = () => source.destroy(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      for await (const chunk of source as AsyncIterable<Uint8Array>) {
        if (file.written + chunk.byteLength > file.size) throw wrongSize(file.size, 'more')
        hash.update(chunk)
        await file.append(chunk)
        onBytes(chunk.byteLength)
      }
    } finally {
      signal.removeEventListener('abort', abort)
      source.destroy()
    }
    if (file.written !== file.size) throw wrongSize(file.size, `only ${file.written}`)
    const found = finishDigest(algorithm, hash)
    if (found !== digest) {
      throw new RegistryError('DIGEST_INVALID', {
        message: 'the upstream sent other content than what it was asked for',
        detail: { expected: digest, received: found },
      })
    }
  }

  /** Reads like any client; the store checks the digest for itself, and shows nothing before. */
  async #store(file: GrowingFile): Promise<void> {
    const { digest, target, onStored, onFailure } = this.#options
    const { size } = file
    const blobs = target(size)
    if (blobs === undefined) return
    const content = file.read(0, size)
    try {
      onStored(await blobs.put(content, { digest, size, signal: this.#controller.signal }))
    } catch (error) {
      // What failed the fetch is told already, and fails the store as well.
      if (!this.#hasFailed && !this.#controller.signal.aborted) onFailure(error, 'store')
    } finally {
      content.destroy()
    }
  }

  #enter(): void {
    this.#readers++
    clearTimeout(this.#abandoned)
  }

  /** Whoever joined while that could be done must find the file open, though the store may have read all of it long before. */
  #release(): void {
    if (this.#isOver && this.#readers === 0) this.#file?.close()
  }

  #leave(): void {
    this.#readers--
    this.#release()
    if (this.#readers > 0 || !this.#isFetching || this.#controller.signal.aborted) return
    const { abandonedMs } = this.#options
    const abandon = () => this.abort(new Error('nobody waits for this blob any longer'))
    if (abandonedMs === 0) abandon()
    else if (abandonedMs <= MAX_TIMER_MS) this.#abandoned = setTimeout(abandon, abandonedMs).unref()
  }

  #end(): void {
    clearTimeout(this.#abandoned)
    if (!this.#isJoinable) return
    this.#isJoinable = false
    this.#options.onEnd()
  }
}

function describe(digest: Digest, size: number): Descriptor {
  return { mediaType: 'application/octet-stream', digest, size }
}

function wrongSize(expected: number, received: string): RegistryError {
  return new RegistryError('SIZE_INVALID', {
    message: `the upstream sent ${received} of the ${expected} bytes that it announced`,
  })
}
