import type { Exchange } from '../exchange.ts'
import { ACCEPTED } from '../headers.ts'
import type { HttpResponse } from '../message.ts'

/** Ours: the whole repository, with everything in it. */
export async function deleteRepository({
  route,
  backend,
  context,
}: Exchange<'deleteRepository'>): Promise<HttpResponse> {
  await backend.repository(route.name).delete(context)
  return ACCEPTED
}
