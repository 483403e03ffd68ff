import { Buffer } from 'node:buffer'
import type { HttpHandler } from '../http/message.ts'
import { consoleLogger, type Logger } from '../logger.ts'
import { checkAdapterOptions } from './mount-options.ts'
import { serverOf } from './node-body.ts'
import type { NodeRequest, NodeResponse } from './node-message.ts'
import { type AdapterOptions, hasLeft, type Mounted, nodeRequest } from './node-request.ts'
import { send } from './node-send.ts'

/**
 * One exchange over Node's own objects.
 *
 * @returns `false` when the request is not ours, and untouched
 * @throws what the handler threw: nothing has been sent then. What fails later is logged.
 */
type Serve = (req: NodeRequest, res: NodeResponse, mounted: Mounted) => Promise<boolean>

/** What every adapter over Node's objects does. Warns once of a server that would cut long uploads off. */
export function createServe(handler: HttpHandler, options: AdapterOptions): Serve {
  checkAdapterOptions(options)
  const { logger = consoleLogger, minDownloadBytesPerSecond = 1024 } = options
  let warned = false
  return async (req, res, mounted) => {
    const request = nodeRequest(req, res, mounted, options)
    const response = await handler(request)
    if (response === undefined) return false
    mounted.claim?.()
    if (!warned) warned = warnOfTimeout(req, logger)
    // Without a listener, a failing connection would end the process.
    res.on('error', (error) => logger.debug({ err: error }, 'the connection failed'))
    try {
      await send(req, res, response, minDownloadBytesPerSecond, () => request.signal)
    } catch (error) {
      if (!request.signal.aborted) logger.error({ err: error, url: request.url }, 'a response could not be sent')
      if (!res.headersSent && !hasLeft(res)) endWithError(res, 500)
    }
    return true
  }
}

/** @returns whether there was something to warn of */
function warnOfTimeout(req: NodeRequest, logger: Logger): boolean {
  const { requestTimeout = 0 } = serverOf(req) ?? {}
  if (requestTimeout === 0) return false
  logger.warn(
    { requestTimeout },
    'uploads that take longer than server.requestTimeout (ms) will be cut off: set it to 0',
  )
  return true
}

/** For where no framework would answer: the specification's error document. */
export function endWithError(res: NodeResponse, status: 404 | 500): void {
  const code = status === 404 ? 'UNSUPPORTED' : 'UNKNOWN'
  const message = status === 404 ? 'not found' : 'unknown error'
  const body = Buffer.from(`${JSON.stringify({ errors: [{ code, message }] })}\n`)
  if ('stream' in res) res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.byteLength })
  else res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.byteLength })
  res.end(body)
}
