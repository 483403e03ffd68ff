import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { RegistryError } from '../../../src/errors.ts'
import type { Send } from '../../../src/remote/transport/send.ts'

/** The least that a {@link Send} is: one connection per request, bodies in one piece, http alone. */
export const plainSend: Send = async ({ method, url, headers, body, signal }) => {
  const outgoing = request(url, { method, headers, agent: false, ...(signal && { signal }) })
  if (body !== undefined && !(body instanceof Uint8Array)) throw new Error('bodies in pieces are not needed here')
  outgoing.end(body)
  try {
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming }
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    throw new RegistryError('UNAVAILABLE', { message: `${url.host} does not answer`, cause })
  }
}
