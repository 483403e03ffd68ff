import { expect } from 'vitest'
import { type Answer, client, type SendOptions } from '../support.ts'

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

/** Sends a request to an empty registry, and looks at what every refusal has to be like. */
export async function outcome(method: string, url: string, options: SendOptions = {}): Promise<Outcome> {
  const answer = await client().send(method, url, options)
  checkRefusal(answer)
  return [answer.status, answer.error.code]
}

function checkRefusal({ status, headers, text, error }: Answer): void {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
  expect(headers['content-type']).toBe('application/json')
  expect(headers['content-length']).toBe(String(Buffer.byteLength(text)))
  expect(Object.keys(JSON.parse(text))).toEqual(['errors'])
  expect(error.message.length).toBeGreaterThan(0)
  // Nothing that a client wrote comes back in a header: these are all the refusals' own.
  const { allow: _, 'x-request-id': __, ...rest } = headers
  expect(rest).toEqual({
    'docker-distribution-api-version': 'registry/2.0',
    'x-content-type-options': 'nosniff',
    'content-type': 'application/json',
    'content-length': headers['content-length'],
    'cache-control': 'no-store',
  })
}
