import { kindOf } from '../arguments.ts'
import { compileGlob, type Glob } from '../glob.ts'

/** What matches: any of some patterns, or what a function says. */
export type Match = Glob | readonly Glob[] | ((text: string) => boolean)

/**
 * Any of the patterns; none of an empty list.
 *
 * @throws `TypeError` for what is no {@link Match}
 */
export function matcher(match: Match): (text: string) => boolean {
  if (typeof match === 'function') return match
  const patterns = typeof match === 'string' ? [match] : match
  if (!Array.isArray(patterns) || !patterns.every((pattern) => typeof pattern === 'string')) {
    throw new TypeError(`expected a pattern such as 'v*', a list of them, or a function, not ${kindOf(match)}`)
  }
  const globs = patterns.map(compileGlob)
  return (text) => globs.some((glob) => glob(text))
}
