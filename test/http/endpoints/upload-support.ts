import { expect } from 'vitest'
import { type Digest, digestOf } from '../../../src/spec/digest.ts'
import type { Answer, Client } from '../support.ts'

/** A hundred bytes. */
export const CONTENT: Buffer = Buffer.from('0123456789'.repeat(10))
export const DIGEST: Digest = digestOf(CONTENT)
export const SHA512: Digest = digestOf(CONTENT, 'sha512')
/** Of something else. */
export const OTHER: Digest = digestOf(Buffer.from('other'))
export const UPLOADS: string = '/v2/team/app/blobs/uploads/'

/** Starts an upload. @returns its location */
export async function start({ send }: Client, url: string = UPLOADS): Promise<string> {
  const { status, headers } = await send('POST', url)
  expect(status).toBe(202)
  return String(headers.location)
}

/** Status, and where the upload stands. */
export function where({ status, headers }: Answer): readonly unknown[] {
  return [status, headers.range]
}

/** A body without a length. */
export async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}
