import assert from 'node:assert/strict'
import { type ErrorCode, RegistryError } from '../../errors.ts'
import type { ContractContext } from './context.ts'
import { QUESTIONS } from './questions.ts'

/** That somebody cannot answer now, or will not. */
const OUTAGES: readonly ErrorCode[] = ['UNAVAILABLE', 'TOOMANYREQUESTS', 'UNAUTHORIZED', 'DENIED']

export function testOutages({ runner: { describe, it }, has, unavailable }: ContractContext): void {
  for (const [name, open] of Object.entries(unavailable)) {
    describe(`an outage (${name})`, () => {
      for (const [method, { needs, ask }] of Object.entries(QUESTIONS)) {
        if (!needs.every(has)) continue
        it(`is said to be one, and is never the absence of what was asked for: ${method}`, async () => {
          const { backend } = await open()
          const answer: unknown = await ask({ backend }).then(
            (value) => `the answer ${JSON.stringify(value)}`,
            (error: unknown) => error,
          )
          const isOutage = RegistryError.is(answer) && OUTAGES.includes(answer.code)
          assert.ok(isOutage, RegistryError.is(answer) ? `${answer.code}: ${answer.message}` : String(answer))
        })
      }
    })
  }
}
