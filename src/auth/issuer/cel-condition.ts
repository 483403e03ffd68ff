import type { Claims } from '../token/verify-token.ts'
import type { OidcIssuer } from './oidc.ts'

/**
 * A condition on claims, in Google's Common Expression Language: each claim by its name, and all of them as `claims`
 * (`claims['a-b'] == 'c'`). Naming a claim that a token lacks is a no, unless the rest decides without it (`… || …`):
 * `has(claims.environment) && …`.
 *
 * Needs the package `@marcbachmann/cel-js`.
 *
 * @example
 * await celCondition("repository == 'org/app' && ref == 'refs/heads/main'")
 *
 * @throws `TypeError` for a text that is no condition, or never true or false
 * @see https://cel.dev
 */
export async function celCondition(expression: string): Promise<OidcIssuer['condition']> {
  const { parse } = await import('@marcbachmann/cel-js').catch((cause: unknown) => {
    throw new Error('conditions need the package "@marcbachmann/cel-js": npm install @marcbachmann/cel-js', { cause })
  })
  const not = (reason: string, cause?: unknown) =>
    new TypeError(`not a condition: ${JSON.stringify(expression)}: ${reason}`, { cause })
  let evaluate: ReturnType<typeof parse>
  try {
    evaluate = parse(expression)
  } catch (cause) {
    throw not((cause as Error).message, cause)
  }
  // Of what stands in a token, nothing is known yet; of the rest, it is.
  const { error, type } = evaluate.check()
  if (error !== undefined) throw not(error.message, error)
  if (type !== 'bool' && type !== 'dyn') throw not(`it is of the type ${type}, and has to be true or false`)
  return async (claims: Claims) => (await evaluate({ ...claims, claims })) === true
}
