import { type MemoryDriver, memory } from '../../../src/drivers/memory.ts'
import type { HandlerOptions } from '../../../src/http/handler.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { FORMAT_MARKER } from '../../../src/storage/layout.ts'
import { type Answer, type Client, client, type SendOptions } from '../support.ts'

// What clients get wrong, or try: each row of the tables beside this file with its exact answer. The grammars in them are
// the specification's own regular expressions, so that a mistake of ours in reading by hand cannot hide in the expectation.

/** A digest of nothing in particular. */
export const DIGEST: string = `sha256:${'a'.repeat(64)}`

/** An upload that never was. */
export const UUID: string = '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11'

/** ASCII that may stand in a path. */
export const PRINTABLE: readonly string[] = Array.from({ length: 0x7e - 0x20 }, (_, i) =>
  String.fromCharCode(0x21 + i),
).filter((c) => c !== '?')

export type Outcome = readonly [status: number, code: string]

/** A registry in memory whose every answer is looked at: see {@link World.ask}. */
export interface World extends Pick<Client, 'registry'> {
  /**
   * Sends a request, and another one after it, which must be answered as ever. No answer may be a 5xx; one that refuses must be the
   * specification's document, have no header but `refusalHeaders` of its own, and have left the storage as it was.
   */
  ask(method: string, url: string, options?: SendOptions): Promise<Answer>
}

export interface WorldOptions extends Partial<HandlerOptions> {
  /** Headers that a refusal may have, beside what all have: names, and what their values have to be like. */
  readonly refusalHeaders?: Readonly<Record<string, RegExp>>
}

export function world({ refusalHeaders = {}, ...options }: WorldOptions = {}): World {
  const storage = memory()
  const registry = new Registry({ storage, logger: silentLogger })
  const { send } = client(options, registry)
  return {
    registry,
    ask: async (method, url, sending) => {
      const before = await contentsOf(storage)
      const answer = await send(method, url, sending)
      const problems = [
        answer.status >= 500 && `status: ${answer.status}`,
        answer.status >= 400 && complaint(answer, method, { allow: /^[A-Z]+(, [A-Z]+)*$/, ...refusalHeaders }),
        answer.status >= 400 && !areEqual(await contentsOf(storage), before) && 'something was written',
        (await send('OPTIONS', '/v2/')).status !== 204 && 'the next request is not answered',
      ].filter((problem) => typeof problem === 'string')
      if (problems.length > 0) throw new Error(`${method} ${url}: ${problems.join('; ')}`)
      return answer
    },
  }
}

/** What an empty registry says to a request that it has to refuse; it stays empty. */
export async function outcome(method: string, url: string, options: SendOptions = {}): Promise<Outcome> {
  const { status, error } = await empty.ask(method, url, options)
  return [status, error.code]
}

const empty = world()

async function contentsOf(storage: MemoryDriver): Promise<ReadonlyMap<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>()
  for await (const { key } of storage.list('')) {
    if (key === FORMAT_MARKER) continue // who writes here: not about any request
    contents.set(key, (await storage.get(key)).content)
  }
  return contents
}

function areEqual(one: ReadonlyMap<string, Uint8Array>, other: ReadonlyMap<string, Uint8Array>): boolean {
  const isThere = ([key, content]: readonly [string, Uint8Array]) => {
    const found = other.get(key)
    return found !== undefined && Buffer.compare(found, content) === 0
  }
  return one.size === other.size && [...one].every(isThere)
}

/** What is wrong with a refusal. Plain comparisons: matchers would cost more than everything else of the corpus. */
function complaint(answer: Answer, method: string, allowed: WorldOptions['refusalHeaders']): string | undefined {
  const { 'x-request-id': id, 'content-length': length, ...headers } = answer.headers
  if (
    !isSame(
      Object.keys(headers)
        .filter((name) => allowed?.[name] === undefined)
        .sort(),
      Object.keys(OWN_HEADERS),
    )
  ) {
    return `headers: ${Object.keys(headers)}`
  }
  // Nothing that a client wrote comes back in a header: these are all the refusals' own.
  for (const [name, value] of Object.entries(headers)) {
    if (OWN_HEADERS[name] !== value && allowed?.[name]?.test(String(value)) !== true) return `${name}: ${value}`
  }
  if (!/^[0-9a-f-]{36}$/.test(String(id))) return `x-request-id: ${id}`
  if (method === 'HEAD') return answer.text === '' ? undefined : 'a body for HEAD'
  if (length !== String(answer.body.byteLength)) return `content-length: ${length}`
  const { errors, ...others } = JSON.parse(answer.text)
  const [{ code, message, detail: _, ...rest }, ...more] = errors
  const document = isSame([others, rest, more], [{}, {}, []]) && /^[A-Z_]+$/.test(code) && /./.test(message)
  return document ? undefined : `body: ${answer.text}`
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Sorted by name. */
const OWN_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-type': 'application/json',
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
}
