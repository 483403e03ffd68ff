import type { Claims } from '../token/verify-token.ts'
import type { OidcIssuer } from './oidc.ts'

/**
 * A condition on claims, in Google's Common Expression Language: each claim by its name, and all of them as `claims`
 * (`claims['a-b'] == 'c'`). Naming a claim that a token lacks is a no: `has(claims.environment) && …`.
 *
 * Needs the package `@marcbachmann/cel-js`.
 *
 * @example
 * await celCondition("repository == 'org/app' && ref == 'refs/heads/main'")
 *
 * @throws `TypeError` for a text that is no condition
 * @see https://cel.dev
 */
export async function celCondition(expression: string): Promise<OidcIssuer['condition']> {
  const { parse } = await import('@marcbachmann/cel-js').catch((cause: unknown) => {
    throw new Error('conditions need the package "@marcbachmann/cel-js": npm install @marcbachmann/cel-js', { cause })
  })
  let evaluate: (context: Record<string, unknown>) => unknown
  try {
    evaluate = parse(expression)
  } catch (cause) {
    throw new TypeError(`not a condition: ${JSON.stringify(expression)}: ${(cause as Error).message}`, { cause })
  }
  return async (claims: Claims) => (await evaluate({ ...claims, claims })) === true
}
