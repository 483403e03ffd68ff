import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { registryListener } from '../../src/adapters/node.ts'
import { anyone } from '../../src/auth/access.ts'
import { memory } from '../../src/drivers/memory.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import { RemoteBackend, type RemoteOptions } from '../../src/remote/remote-backend.ts'
import * as listening from '../support/listening.ts'

/** A request as it arrived. */
export interface Seen {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
}

/** Answers a request, or leaves it to the registry: `true` when it did. */
export type Intercept = (req: IncomingMessage, res: ServerResponse) => boolean | Promise<boolean>

/** A registry in memory behind HTTP, a client of it, and what passed between them. */
export interface Rig {
  readonly registry: Registry
  readonly remote: RemoteBackend
  readonly url: string
  readonly seen: Seen[]
  /** The lines of {@link seen}: `GET /v2/`. */
  lines(): string[]
  /** Comes before the registry from now on. */
  intercept: Intercept
}

/** @param options - of the client; it does not wait between tries */
export async function rig(options: RemoteOptions = {}): Promise<Rig> {
  const registry = new Registry({ storage: memory(), logger: silentLogger })
  const listener = registryListener(registry, { access: anyone(), logger: silentLogger })
  const seen: Seen[] = []
  const rigged = {
    registry,
    seen,
    lines: () => seen.map(({ method, url }) => `${method} ${url}`),
    intercept: (() => false) as Intercept,
  }
  const server = createServer(async (req, res) => {
    seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers })
    if (!(await rigged.intercept(req, res))) listener(req, res)
  })
  const url = await listen(server)
  const remote = new RemoteBackend(url, { retries: { sleep: () => Promise.resolve() }, ...options })
  onTestFinished(() => remote.close())
  return Object.assign(rigged, { url, remote })
}

/** On a free port of this machine, until the test is over. */
export async function listen(server: Server): Promise<string> {
  const origin = await listening.listen(server)
  onTestFinished(() => listening.close(server))
  return origin
}

/** One answer for the first request of a kind, and none for the others. */
export function first(
  method: string,
  path: RegExp,
  answer: (req: IncomingMessage, res: ServerResponse) => void,
): Intercept {
  let used = false
  return (req, res) => {
    if (used || req.method !== method || !path.test(req.url ?? '')) return false
    used = true
    answer(req, res)
    return true
  }
}

/** The same, each time. */
export function always(
  method: string,
  path: RegExp,
  answer: (req: IncomingMessage, res: ServerResponse) => void,
): Intercept {
  return (req, res) => {
    if (req.method !== method || !path.test(req.url ?? '')) return false
    answer(req, res)
    return true
  }
}

/** An answer with nothing in it. */
export function status(code: number, headers: Record<string, string> = {}) {
  return (_req: IncomingMessage, res: ServerResponse): void => {
    res.writeHead(code, headers).end()
  }
}
