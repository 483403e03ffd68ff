import { RegistryError } from '../errors.ts'
import { parseDecimal, readDigits } from '../spec/decimal.ts'

/** What of a query string a route reads. */
export type Parameters = Pick<URLSearchParams, 'getAll'>

/** Of a URL without a query. */
export const NO_PARAMETERS: Parameters = { getAll: () => [] }

/**
 * Frameworks' parsers make arrays of repeated parameters and objects of `a[b]`; this one makes strings, and never throws.
 *
 * @param query - without the question mark, still percent-encoded
 */
export function parseQuery(query: string): Parameters {
  // The constructor takes one "?" off, which is part of the first name here: "/v2/_catalog??n=1" has no n.
  return new URLSearchParams(query.startsWith('?') ? `&${query}` : query)
}

/**
 * The value of a parameter that makes sense once: taking either of two would let an access rule and an endpoint disagree.
 *
 * @throws {@link RegistryError} `UNSUPPORTED` (400) when it is there twice
 */
export function single(parameters: Parameters, name: string): string | undefined {
  const values = parameters.getAll(name)
  if (values.length > 1) throw invalidParameter(name, 'given more than once')
  return values[0]
}

/**
 * A page size. More than a number holds is more than any page: it is clamped like the rest, not refused.
 *
 * @throws {@link RegistryError} `UNSUPPORTED` (400) for anything but a decimal integer
 */
export function pageSize(name: string, text: string): number {
  const value = parseDecimal(text)
  if (value !== undefined) return value
  if (!text.startsWith('0') && readDigits(text, 0, text.length) !== undefined) return Number.MAX_SAFE_INTEGER
  throw invalidParameter(name, 'not a decimal integer')
}

/** A query string with its question mark, or nothing; `undefined` leaves a parameter out, a list repeats it. */
export function formatQuery(
  parameters: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): string {
  let query = ''
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue
    for (const one of typeof value === 'object' ? value : [value]) {
      query += `${query === '' ? '?' : '&'}${name}=${encodeURIComponent(one)}`
    }
  }
  return query
}

function invalidParameter(name: string, reason: string): RegistryError {
  return new RegistryError('UNSUPPORTED', {
    status: 400,
    message: `invalid parameter ${name}: ${reason}`,
    detail: { parameter: name },
  })
}
