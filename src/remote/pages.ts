import { RegistryError } from '../errors.ts'
import { DEFAULT_JSON_LIMITS, isJsonObject, type JsonObject, readJson } from '../spec/json-scan.ts'
import type { ApiRequest, RegistryClient } from './client/registry-client.ts'
import type { JudgedUrl } from './transport/named-url.ts'

/** Bytes of one page. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
/** Some registries send everything on one page, and a tag may have one letter. */
const PAGE_LIMITS = { ...DEFAULT_JSON_LIMITS, maxTokens: 2_000_000 }
/** Bytes of all pages of one listing: they are in memory at once. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024
/** Pages of one listing; a registry that has more goes round in circles. */
const MAX_PAGES = 10_000

/** Entries of a page that is asked for: what most registries give at most. */
const PAGE_SIZE = 1000

export interface Page {
  readonly content: JsonObject
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/**
 * The pages of a listing, each where the `Link` of the one before leads: on the same origin, and nowhere twice.
 *
 * @throws {@link RegistryError} `UNAVAILABLE` for what is no page
 */
export async function* pages(
  client: RegistryClient,
  request: Omit<ApiRequest, 'method' | 'expect'>,
): AsyncGenerator<Page> {
  let target: string | JudgedUrl = request.target
  const seen = new Set<string>()
  let bytes = 0
  for (let count = 0; count < MAX_PAGES; count++) {
    const page = await client.read({ ...request, target, method: 'GET', expect: [200] }, MAX_PAGE_BYTES)
    const { response, content } = page
    bytes += content.byteLength
    if (bytes > MAX_LISTING_BYTES) throw noPage(client, `of more than ${MAX_LISTING_BYTES} bytes`)
    yield { content: parse(client, content), headers: response.headers }
    const next = nextLink(response.headers.link)
    if (next === undefined) return
    target = client.judge('link', next, response.url)
    if (seen.has(target.url.href)) break
    seen.add(target.url.href)
  }
  throw new RegistryError('UNAVAILABLE', { message: `${client.address.name} lists the same pages again and again` })
}

export function pageQuery(after: string | undefined, limit: number | undefined): string {
  const size = Math.max(1, Math.min(limit ?? PAGE_SIZE, PAGE_SIZE))
  return `?n=${size}${after === undefined ? '' : `&last=${encodeURIComponent(after)}`}`
}

/** The strings of a field; Go writes `null` for none. */
export function stringsOf(client: RegistryClient, content: JsonObject, field: string): readonly string[] {
  const value = content[field] ?? []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw noPage(client, `without a list of ${field}`)
}

/** The target of `rel="next"`. @see https://www.rfc-editor.org/rfc/rfc8288 */
export function nextLink(header: string | readonly string[] | undefined): string | undefined {
  for (const link of typeof header === 'string' ? [header] : (header ?? [])) {
    // A target holds no `>`, so what stands between it and the next `<` are its parameters.
    for (const part of link.split('<').slice(1)) {
      const end = part.indexOf('>')
      const parameters = part.slice(end + 1).toLowerCase()
      if (end > 0 && /;\s*rel="?next"?\s*(?:[;,]|$)/.test(parameters)) return part.slice(0, end)
    }
  }
  return undefined
}

function parse(client: RegistryClient, content: Uint8Array): JsonObject {
  const reading = readJson(content, { limits: PAGE_LIMITS })
  if (reading.problem !== undefined) throw noPage(client, `that cannot be read: ${reading.problem}`, reading.cause)
  if (isJsonObject(reading.value)) return reading.value
  throw noPage(client, 'that is no object')
}

function noPage(client: RegistryClient, what: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', { message: `${client.address.name} answers with a listing ${what}`, cause })
}
