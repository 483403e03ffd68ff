import type { HttpResponse } from '../message.ts'

/** end-1: what a client logs in against. */
export function ping(): HttpResponse {
  return { status: 200, headers: { 'content-type': 'application/json', 'content-length': '2' }, body: '{}' }
}
