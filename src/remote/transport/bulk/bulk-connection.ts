import { validateHeaderValue } from 'node:http'
import { connect, type LookupFunction, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { ReceiveBuffer } from './receive-buffer.ts'
import { MAX_HEAD_BYTES, parseResponseHead, type ResponseHead } from './response-head.ts'

export interface BulkConnectOptions {
  readonly lookup?: LookupFunction
  readonly tls: ConnectionOptions
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Called when it can be asked again. */
  readonly onIdle: (connection: BulkConnection) => void
  readonly onClose: (connection: BulkConnection) => void
}

/** Not an answer for this client: to be asked for by another. */
export class NotPlainError extends Error {
  override readonly name = 'NotPlainError'
}

interface Asked {
  resolve(answer: BulkAnswer): void
  reject(error: unknown): void
}

const NOTHING: Buffer = Buffer.alloc(0)
const END_OF_HEAD = '\r\n\r\n'

/**
 * A connection that reads the bodies of its answers in large pieces, straight into the memory that they stay in. Node's own client parses
 * and copies 64 KiB at a time, which costs more than everything else about a blob but its hash.
 */
export class BulkConnection {
  readonly #socket: Socket
  readonly #options: BulkConnectOptions
  readonly #buffer = new ReceiveBuffer()
  #asked: Asked | undefined
  #head: Buffer = Buffer.alloc(0)
  #body: BulkBody | undefined
  #left = 0
  #keepAlive = false
  #error: unknown

  constructor(url: URL, options: BulkConnectOptions) {
    this.#options = options
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const isTls = url.protocol === 'https:'
    const onread = { buffer: this.#buffer.room, callback: (bytes: number) => this.#take(this.#buffer.take(bytes)) }
    const to = {
      host,
      port: Number(url.port || (isTls ? 443 : 80)),
      onread,
      ...(options.lookup && { lookup: options.lookup }),
    }
    // A name only: an address is no server name (RFC 6066 §3).
    this.#socket = isTls
      ? connectTls({ ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }), ...options.tls, ...to })
      : connect(to)
    this.#limit(isTls ? 'secureConnect' : 'connect')
    this.#socket.on('error', (error) => {
      this.#error ??= error
    })
    this.#socket.once('end', () => this.#socket.destroy()).once('close', () => this.#over())
  }

  /** One GET at a time. @throws {@link NotPlainError}, and what the socket fails with */
  async get(url: URL, headers: Readonly<Record<string, string>>): Promise<BulkAnswer> {
    const lines = Object.entries({ host: url.host, ...headers }).map(([name, value]) => {
      // A token with a line break in it would end the request and begin another.
      validateHeaderValue(name, value)
      return `${name}: ${value}\r\n`
    })
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject }
      this.#socket.ref()
      this.#socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
      this.#socket.resume()
    })
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.#socket.destroy()
  }

  /** @returns whether more may come at once */
  #take(chunk: Buffer): boolean {
    if (this.#body !== undefined) return this.#bodyBytes(this.#body, chunk)
    if (this.#asked === undefined) {
      this.destroy(new Error('the server sends what was not asked for'))
      return false
    }
    this.#head = this.#head.byteLength === 0 ? chunk : Buffer.concat([this.#head, chunk])
    const end = this.#head.indexOf(END_OF_HEAD)
    if (end === -1) {
      if (this.#head.byteLength > MAX_HEAD_BYTES) this.destroy(new NotPlainError('a head without an end'))
      return true
    }
    const head = parseResponseHead(this.#head.subarray(0, end).toString('latin1'))
    const rest = this.#head.subarray(end + END_OF_HEAD.length)
    this.#head = Buffer.alloc(0)
    if (head === undefined) {
      this.destroy(new NotPlainError('an answer for another client'))
      return false
    }
    return this.#begin(head, rest, this.#asked)
  }

  #begin(head: ResponseHead, rest: Buffer, { resolve }: Asked): boolean {
    this.#asked = undefined
    this.#left = head.length
    this.#keepAlive = head.keepAlive
    const body = new BulkBody(this.#socket)
    this.#body = body
    resolve({ status: head.status, headers: head.headers, body })
    return this.#bodyBytes(body, head.keepAlive || head.length > 0 ? rest : NOTHING)
  }

  #bodyBytes(body: BulkBody, chunk: Buffer): boolean {
    if (chunk.byteLength > this.#left) {
      this.destroy(new Error('the server sends more than it announced'))
      return false
    }
    this.#left -= chunk.byteLength
    const more = chunk.byteLength === 0 || body.push(chunk)
    if (this.#left > 0) return more
    this.#body = undefined
    body.complete()
    if (this.#keepAlive) {
      // Waiting for nothing: it keeps no process alive.
      this.#socket.unref()
      this.#options.onIdle(this)
    } else this.#socket.destroy()
    return true
  }

  #limit(connected: 'connect' | 'secureConnect'): void {
    const { connectTimeoutMs, idleTimeoutMs } = this.#options
    const late = () => this.destroy(new Error(`no connection within ${connectTimeoutMs} ms`))
    const timer = setTimeout(late, connectTimeoutMs)
    const stop = () => clearTimeout(timer)
    this.#socket.once(connected, stop).once('close', stop)
    this.#socket.setTimeout(idleTimeoutMs, () => this.destroy(new Error(`no byte within ${idleTimeoutMs} ms`)))
  }

  #over(): void {
    const error = this.#error ?? new Error('the connection ended')
    this.#asked?.reject(error)
    this.#body?.destroy(error as Error) // whatever a socket fails with
    this.#asked = undefined
    this.#body = undefined
    this.#options.onClose(this)
  }
}

export interface BulkAnswer {
  readonly status: number
  readonly headers: ResponseHead['headers']
  readonly body: Readable
}

/** Bytes held for a reader that is slower than the connection. */
const BODY_BUFFER_BYTES = 1024 * 1024

class BulkBody extends Readable {
  /** Until all of it has come: the connection may serve another answer by then, before this one is read. */
  #socket: Socket | undefined

  constructor(socket: Socket) {
    super({ highWaterMark: BODY_BUFFER_BYTES })
    this.#socket = socket
    // It may break before its reader is there, who then meets the error; with nobody to hear it, the process would end.
    this.on('error', () => {})
  }

  /** Nothing of it is left on the connection. */
  complete(): void {
    this.#socket = undefined
    this.push(null)
  }

  override _read(): void {
    this.#socket?.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // What is left of it would be in the way of the next answer.
    this.#socket?.destroy()
    done(error)
  }
}
