import type { Exchange } from '../exchange.ts'
import { jsonResponse, streamedJson, takePage } from '../json-listing.ts'
import type { HttpResponse } from '../message.ts'

/** end-8. Without `n` the list is whole: deployers that get part of one believe that the rest is gone. */
export async function listTags({
  request,
  route,
  backend,
  context,
  settings,
}: Exchange<'listTags'>): Promise<HttpResponse> {
  const { name, limit, after } = route
  const pageSize = limit === undefined ? undefined : Math.min(limit, settings.maxPageSize)
  const tags = backend.repository(name).tags.list({
    ...context,
    ...(after !== undefined && { after }),
    // One more tells whether there is another page.
    ...(pageSize !== undefined && { limit: pageSize + 1 }),
  })
  if (pageSize === undefined) return streamedJson(document(name, tags))
  const { items, more } = await takePage(tags, pageSize)
  const last = items.at(-1)
  const next =
    more && last !== undefined
      ? settings.locator.link(request, { kind: 'listTags', name, limit: pageSize, after: last })
      : undefined
  return jsonResponse(`${JSON.stringify({ name, tags: items })}\n`, 'application/json', next)
}

async function* document(name: string, tags: AsyncIterable<string>): AsyncGenerator<string> {
  let separator = `{"name":${JSON.stringify(name)},"tags":[`
  for await (const tag of tags) {
    yield separator + JSON.stringify(tag)
    separator = ','
  }
  yield separator === ',' ? ']}\n' : `${separator}]}\n`
}
