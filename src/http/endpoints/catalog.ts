import type { Exchange } from '../exchange.ts'
import { visibleTo } from '../grants.ts'
import { jsonResponse, takePage } from '../json-listing.ts'
import type { HttpResponse } from '../message.ts'

/** Distribution's: the repositories that the caller may see. Without `n`, one page of the largest size. */
export async function catalog(exchange: Exchange<'catalog'>): Promise<HttpResponse> {
  const { request, route, settings } = exchange
  const limit = Math.min(route.limit ?? settings.maxPageSize, settings.maxPageSize)
  const { items, more } = await takePage(visibleNames(exchange, limit), limit)
  const last = items.at(-1)
  const next =
    more && last !== undefined ? settings.locator.link(request, { kind: 'catalog', limit, after: last }) : undefined
  return jsonResponse(`${JSON.stringify({ repositories: items })}\n`, 'application/json', next)
}

async function* visibleNames(
  { route, backend, grant, context }: Exchange<'catalog'>,
  limit: number,
): AsyncGenerator<string> {
  const { after } = route
  const names = backend.repositories({ ...context, limit: limit + 1, ...(after !== undefined && { after }) })
  // One more than the page: so that a full page and the question whether there is another cost one look.
  for await (const page of visibleTo(grant, names, limit + 1)) yield* page
}
