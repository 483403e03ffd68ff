// @ts-check
// An HTTP/1.1 client that is as light as can be: it shares two cores with the servers it measures. One connection, one
// request at a time, one receive buffer, bodies counted and thrown away.
import { once } from 'node:events'
import net from 'node:net'

const CRLF2 = Buffer.from('\r\n\r\n')

/** @typedef {{ status: number, location: string | undefined, bytes: number }} Answer Body length in bytes, without framing. */
/** @typedef {{ size: number, chunks: Iterable<Uint8Array> }} Body */

export class Connection {
  /** @type {net.Socket} */
  #socket
  #host
  /** Head of a response, until it is whole. */
  #head = Buffer.alloc(0)
  #inBody = false
  /** Bytes of the body, or of the current chunk, still to come; -1: chunked, at a chunk's size line. */
  #remaining = 0
  #chunked = false
  /** What of a chunk's size line has come. */
  #line = ''
  #isHead = false
  /** @type {Answer} */
  #answer = { status: 0, location: undefined, bytes: 0 }
  /** @type {{ resolve: (answer: Answer) => void, reject: (error: Error) => void } | undefined} */
  #waiting

  /**
   * @param {net.Socket} socket
   * @param {string} host
   */
  constructor(socket, host) {
    this.#socket = socket
    this.#host = host
  }

  /** @param {number} port on 127.0.0.1 */
  static async open(port, bufferBytes = 256 * 1024) {
    /** @type {Connection | undefined} */
    let connection
    const socket = net.connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      // One buffer for all that arrives, instead of a new one per read.
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferBytes),
        callback: (length, buffer) => {
          connection?.receive(/** @type {Buffer} */ (buffer), length)
          return true
        },
      },
    })
    connection = new Connection(socket, `127.0.0.1:${port}`)
    await once(socket, 'connect')
    const { fail } = connection
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('connection closed by the server')))
    return connection
  }

  close() {
    this.#socket.destroy()
  }

  /** @param {Error} error */
  fail = (error) => {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string} [headers] whole lines, each with its CRLF
   * @param {Body} [body]
   * @returns {Promise<Answer>}
   */
  request(method, path, headers = '', body) {
    this.#isHead = method === 'HEAD'
    const length = body !== undefined || method !== 'GET' ? `content-length: ${body?.size ?? 0}\r\n` : ''
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${length}${headers}\r\n`
    /** @type {Promise<Answer>} */
    const answer = new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    if (body === undefined) this.#socket.write(head, 'latin1')
    else this.#send(head, body).catch(this.fail)
    return answer
  }

  /**
   * @param {string} head
   * @param {Body} body
   */
  async #send(head, body) {
    const socket = this.#socket
    socket.cork()
    socket.write(head, 'latin1')
    process.nextTick(() => socket.uncork())
    for (const chunk of body.chunks) {
      if (this.#waiting === undefined) throw new Error(`answered ${this.#answer.status} before the body was sent`)
      if (!socket.write(chunk) && chunk.length > 65_536) await once(socket, 'drain')
    }
  }

  /**
   * @param {Buffer} buffer
   * @param {number} length
   */
  receive(buffer, length) {
    let at = this.#inBody ? 0 : this.#readHead(buffer, length)
    while (at < length) {
      if (this.#chunked && this.#remaining <= 0) at = this.#readChunkSize(buffer, at, length)
      else {
        const taken = Math.min(this.#remaining, length - at)
        this.#answer.bytes += taken
        this.#remaining -= taken
        at += taken
        if (this.#remaining === 0) {
          if (this.#chunked) this.#line = ''
          else this.#done()
        }
      }
    }
  }

  /**
   * @param {Buffer} buffer
   * @param {number} length
   * @returns {number} where the body begins in `buffer`
   */
  #readHead(buffer, length) {
    const before = this.#head.length
    // The buffer is reused: an unfinished head has to be copied, a whole one (nearly always) has not.
    const bytes = before === 0 ? buffer.subarray(0, length) : Buffer.concat([this.#head, buffer.subarray(0, length)])
    const end = bytes.indexOf(CRLF2)
    if (end === -1) {
      this.#head = Buffer.from(bytes)
      return length
    }
    this.#head = Buffer.alloc(0)
    const head = bytes.toString('latin1', 0, end)
    const status = Number(head.slice(9, 12))
    const lower = head.toLowerCase()
    if (status >= 200) {
      this.#answer = { status, location: headerOf(head, lower, 'location'), bytes: 0 }
      const empty = this.#isHead || status === 204 || status === 304
      this.#chunked = !empty && headerOf(head, lower, 'transfer-encoding') === 'chunked'
      this.#remaining = empty || this.#chunked ? 0 : Number(headerOf(head, lower, 'content-length') ?? 0)
      this.#line = ''
      if (!this.#chunked && this.#remaining === 0) this.#done()
      else this.#inBody = true
    }
    return end + 4 - before
  }

  /**
   * @param {Buffer} buffer
   * @param {number} at
   * @param {number} length
   */
  #readChunkSize(buffer, at, length) {
    const newline = buffer.indexOf(10, at)
    const end = newline === -1 || newline >= length ? length : newline + 1
    this.#line += buffer.toString('latin1', at, end)
    if (!this.#line.endsWith('\n')) return end
    const line = this.#line.trim()
    this.#line = ''
    if (line === '') {
      // After a chunk's bytes comes an empty line; after the last chunk's size, too.
      if (this.#remaining === -1) this.#done()
      return end
    }
    const size = Number.parseInt(line, 16)
    this.#remaining = size === 0 ? -1 : size
    return end
  }

  #done() {
    this.#inBody = false
    this.#chunked = false
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(this.#answer)
  }
}

/**
 * @param {string} head
 * @param {string} lower the same in lower case
 * @param {string} name
 */
function headerOf(head, lower, name) {
  const start = lower.indexOf(`\r\n${name}:`)
  if (start === -1) return undefined
  const end = head.indexOf('\r\n', start + 2)
  return head.slice(start + name.length + 3, end === -1 ? undefined : end).trim()
}
