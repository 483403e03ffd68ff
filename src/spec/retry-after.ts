/** Milliseconds; `undefined` where it says nothing. @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 */
export function readRetryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  // A date begins with its day of the week; what else can be parsed as one was not meant so.
  const date = /^[A-Z][a-z]{2,8},? /.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
