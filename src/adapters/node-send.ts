import { Buffer } from 'node:buffer'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import type { HttpResponse } from '../http/message.ts'
import { hasBody } from './node-body.ts'
import { lingerThenEnd, lingerThenReset } from './node-linger.ts'
import type { NodeRequest, NodeResponse } from './node-message.ts'
import { hasLeft } from './node-request.ts'
import { breakWhenUnread } from './node-stall.ts'

/** A body in memory of up to this size, in bytes, fits what systems keep for a connection: nobody has to wait for its reader. */
const SMALL_BYTES = 64 * 1024

/**
 * Writes a neutral response to Node's: the one place where bytes leave. Disposes of its body in any case.
 *
 * @param minBytesPerSecond - a client that reads less is left; 0: none is
 * @param signal - asked for only where a body takes time to send
 * @throws whatever kept the response from being sent whole; had it begun, the connection is broken so that the client notices
 */
export async function send(
  req: NodeRequest,
  response: NodeResponse,
  answer: HttpResponse,
  minBytesPerSecond: number,
  signal: () => AbortSignal,
): Promise<void> {
  // http2's compatibility response takes the same calls; only the types of the two do not unite.
  const res = response as ServerResponse
  const { body, status } = answer
  const whole = body === null || typeof body === 'string' || body instanceof Uint8Array
  try {
    if (hasLeft(response)) return
    const early = !('stream' in req) && (await stillArrives(req))
    const headers = answer.headers as OutgoingHttpHeaders // ours are readonly, Node only reads them
    const length = whole ? missingLength(answer, req.method) : undefined
    if (length === undefined && !early) res.writeHead(status, headers)
    else {
      res.writeHead(status, {
        ...headers,
        ...(length !== undefined && { 'content-length': length }),
        ...(early && { connection: 'close' }),
      })
    }
    if (minBytesPerSecond > 0 && (!whole || (body?.length ?? 0) > SMALL_BYTES)) {
      breakWhenUnread(req, response, minBytesPerSecond)
    }
    if (!whole && req.method !== 'HEAD') await body.sendTo(res, signal())
    if (early) lingerThenEnd(req, res, whole ? body : null)
    else {
      res.end(whole ? body : null)
      if ('stream' in req && !req.stream.readableEnded) lingerThenReset(req.stream)
    }
  } catch (error) {
    if (res.headersSent) breakOff(response)
    throw error
  } finally {
    if (!whole) await body[Symbol.asyncDispose]()
  }
}

/** Whether the body of a request is on its way still, nobody having read it to its end. */
async function stillArrives(req: NodeRequest): Promise<boolean> {
  if (req.complete || !hasBody(req)) return false
  // What came along with the headers is only now being parsed: spare such a connection.
  await new Promise((resolve) => setImmediate(resolve))
  return !req.complete
}

/** Bytes of a body that is there whole, where the headers do not say: a client must not wait for more. */
function missingLength({ status, headers, body }: HttpResponse, method: string | undefined): number | undefined {
  if (headers['content-length'] !== undefined || method === 'HEAD' || status === 204 || status === 304) return undefined
  if (typeof body === 'string') return Buffer.byteLength(body)
  return body instanceof Uint8Array ? body.byteLength : 0
}

function breakOff(res: NodeResponse): void {
  if ('stream' in res) res.stream?.close(constants.NGHTTP2_INTERNAL_ERROR)
  else res.destroy()
}
