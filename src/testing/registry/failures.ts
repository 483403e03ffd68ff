import { checkAmount, checkOptions, kindOf } from '../../arguments.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../http/message.ts'
import type { Clock } from './clock.ts'
import {
  contentOf,
  discard,
  hangUp,
  type Middleware,
  pathOf,
  refusal,
  withBody,
  withContent,
  withHeaders,
  withoutHeader,
} from './middleware.ts'
import { predicateOf, type RequestMatch } from './requests.ts'

/**
 * What goes wrong, and with which requests. The first rule that fits a request and is not used up is the only one that acts
 * on it. A rule first waits (`delayMs`, `hold`), then breaks the connection (`drop`) or answers (`status`); one that does
 * neither lets the registry answer, and changes what it says (`headers`, `corrupt`).
 */
export interface FailureRule extends Omit<RequestMatch, 'status'> {
  /** How many requests that fit are let through first. Default: none. */
  readonly skip?: number
  /** How many requests it acts on. Default: every one. */
  readonly times?: number
  /** How long it waits, in milliseconds of the registry's clock. */
  readonly delayMs?: number
  /** What it waits for, until the test lets go. */
  readonly hold?: Promise<unknown> | (() => Promise<unknown>)
  /** Answers with this, without asking the registry. */
  readonly status?: number
  /** Code of the error document that goes with `status`. Default: `UNAVAILABLE`, or `TOOMANYREQUESTS` with 429. */
  readonly code?: string
  /** Of the answer; `null` takes one away: `{ 'docker-content-digest': null }`. */
  readonly headers?: Readonly<Record<string, string | null>>
  /** Breaks the connection; with `'answer'`, after the registry has done what was asked, so that only the answer is lost. */
  readonly drop?: boolean | 'answer'
  /**
   * Acts only after so many bytes: of the body that is sent to us, or of the answer to a GET. What has come in until then is kept,
   * as it is in an upload whose sender dies; what is too short is let through whole, and acted on at its end.
   */
  readonly after?: number
  /** Changes a byte of the answer's body, so that its digest is wrong. */
  readonly corrupt?: boolean
}

/** @throws `TypeError` for a rule that does nothing, or has what no rule has */
export function checkFailureRule(rule: FailureRule): void {
  checkOptions('a rule of "fail"', rule, {
    method: true,
    path: true,
    origin: true,
    skip: true,
    times: true,
    delayMs: true,
    hold: true,
    status: true,
    code: true,
    headers: true,
    drop: true,
    after: true,
    corrupt: true,
  })
  if (typeof rule !== 'object' || rule === null)
    throw new TypeError(`a rule of "fail" must be an object, { status: 503 } say, not ${kindOf(rule)}`)
  const { path, status, hold, drop = false, delayMs, headers, corrupt = false } = rule
  for (const name of ['skip', 'times', 'after', 'delayMs'] as const) checkAmount(name, rule[name])
  if (path !== undefined && typeof path !== 'string' && !(path instanceof RegExp)) {
    throw new TypeError(`the option "path" must be a whole path or an expression, not ${kindOf(path)}`)
  }
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= 599)) {
    throw new TypeError(`the option "status" must be that of an answer, 200 to 599, not ${kindOf(status)}`)
  }
  if (drop === false && !corrupt && [status, hold, delayMs, headers].every((each) => each === undefined)) {
    throw new TypeError('a rule of "fail" must say what goes wrong: status, drop, delayMs, hold, headers or corrupt')
  }
}

/** A rule that is in force. */
export interface Failure {
  /** How many requests it has acted on. */
  readonly hits: number
  /** Takes the rule away. */
  remove(): void
}

/** The rules of one registry. */
export class Failures {
  readonly #clock: Clock
  readonly #rules = new Set<{ readonly rule: FailureRule; seen: number; hits: number }>()

  constructor(rules: readonly FailureRule[], clock: Clock) {
    this.#clock = clock
    for (const rule of rules) this.add(rule)
  }

  /** @throws `TypeError` */
  add(rule: FailureRule): Failure {
    checkFailureRule(rule)
    const entry = { rule, seen: 0, hits: 0 }
    this.#rules.add(entry)
    return {
      get hits() {
        return entry.hits
      },
      remove: () => void this.#rules.delete(entry),
    }
  }

  middleware(origin: 'registry' | 'storage'): Middleware {
    return (request, next) => {
      const rule = this.#claim(request, origin)
      if (rule === undefined) return next(request)
      return rule.after === undefined ? this.#actAtOnce(rule, request, next) : this.#actLater(rule, request, next)
    }
  }

  #claim(request: HttpRequest, origin: 'registry' | 'storage'): FailureRule | undefined {
    const { method, url } = request
    const asked = { method, url, path: pathOf(request), headers: {}, origin, status: undefined, bytes: 0 }
    for (const entry of this.#rules) {
      const { method: methods, path, origin: where, skip = 0, times = Number.POSITIVE_INFINITY } = entry.rule
      const match = { ...(methods && { method: methods }), ...(path && { path }), ...(where && { origin: where }) }
      if (!predicateOf(match)(asked) || entry.hits >= times) continue
      if (entry.seen++ < skip) continue
      entry.hits++
      return entry.rule
    }
    return undefined
  }

  async #actAtOnce(rule: FailureRule, request: HttpRequest, next: HttpHandler): Promise<HttpResponse | undefined> {
    await this.#wait(rule, request)
    if (rule.drop === true) return hungUp(request)
    if (rule.status !== undefined && rule.drop !== 'answer') return answerOf(rule, rule.status)
    const response = await next(request)
    if (rule.drop !== 'answer') return response && changed(response, rule)
    await discard(response?.body)
    return hungUp(request)
  }

  async #actLater(rule: FailureRule, request: HttpRequest, next: HttpHandler): Promise<HttpResponse | undefined> {
    const { after = 0 } = rule
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      let stopped = false
      const interrupted = withBody(request, (body) =>
        interrupt(body, after, async () => {
          await this.#wait(rule, request)
          if (rule.drop === true) await hangUp(request)
          else if (rule.status === undefined) return
          stopped = true
          throw Object.assign(new Error('a test registry broke an upload off'), { code: 'ECONNRESET' })
        }),
      )
      const response = await next(interrupted)
      if (!stopped || response === undefined) return response && changed(response, rule)
      await discard(response.body)
      return rule.status === undefined || rule.drop === true ? response : answerOf(rule, rule.status)
    }
    const response = await next(request)
    if (response === undefined) return undefined
    const strike = async () => {
      await this.#wait(rule, request)
      if (rule.drop === undefined || rule.drop === false) return
      await hangUp(request)
      throw request.signal.reason
    }
    return withContent(changed(response, rule), interrupt(contentOf(response), after, strike))
  }

  async #wait({ delayMs, hold }: FailureRule, { signal }: HttpRequest): Promise<void> {
    try {
      if (delayMs !== undefined) await this.#clock.sleep(delayMs, signal)
      if (hold === undefined) return
      await Promise.race([typeof hold === 'function' ? hold() : hold, rejection(signal)])
    } catch (error) {
      if (!signal.aborted) throw error // nobody waits for the answer any more
    }
  }
}

/** For a connection that is gone: the adapter sends nothing. */
async function hungUp(request: HttpRequest): Promise<HttpResponse> {
  await hangUp(request)
  return { status: 503, headers: {}, body: null }
}

function answerOf({ code, headers = {} }: FailureRule, status: number): HttpResponse {
  const fallback = status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE'
  return override(refusal(status, code ?? fallback, 'a test asked for this answer'), headers)
}

function changed(response: HttpResponse, { headers = {}, corrupt = false }: FailureRule): HttpResponse {
  const told = override(response, headers)
  return corrupt ? withContent(told, withOneBitFlipped(contentOf(response))) : told
}

function override(response: HttpResponse, headers: Readonly<Record<string, string | null>>): HttpResponse {
  let changed = response
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    changed = value === null ? withoutHeader(changed, lower) : withHeaders(changed, { [lower]: value })
  }
  return changed
}

/** The bytes of `source`, and `strike` after the first `count` of them: those have been taken by then. */
async function* interrupt(
  source: AsyncIterable<Uint8Array>,
  count: number,
  strike: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let left = count
  let struck = false
  for await (const chunk of source) {
    if (struck || chunk.byteLength <= left) {
      left -= chunk.byteLength
      yield chunk
      continue
    }
    if (left > 0) yield chunk.subarray(0, left)
    struck = true
    await strike()
    yield chunk.subarray(left)
  }
  if (!struck) await strike()
}

async function* withOneBitFlipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first = true
  for await (const chunk of source) {
    const copy = first && chunk.byteLength > 0 ? Uint8Array.from(chunk) : chunk
    if (copy !== chunk) {
      copy[0] = (copy[0] ?? 0) ^ 1
      first = false
    }
    yield copy
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
