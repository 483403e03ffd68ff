import { kindOf } from '../arguments.ts'

/** `*` stands for any characters but `/`, `**` for any characters at all; the rest for itself. A text matches as a whole. */
export type Glob = string

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
  const globs = patterns.map(parse)
  return (text) => globs.some((glob) => matches(glob, text))
}

/** A character that stands for itself, or one of the two stars. */
type Step = string

function parse(glob: Glob): readonly Step[] {
  return glob.match(/\*{2,}|./gs)?.map((step) => (step.length > 1 ? '**' : step)) ?? []
}

/** All positions in the pattern at once, so that no text takes longer than its length times the pattern's. */
function matches(steps: readonly Step[], text: string): boolean {
  let positions = skipStars(steps, [0])
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    const next = new Set<number>()
    for (const position of positions) {
      const step = steps[position]
      if (step === '**' || (step === '*' && c !== '/')) next.add(position)
      else if (step !== '*' && step === c) next.add(position + 1)
    }
    if (next.size === 0) return false
    positions = skipStars(steps, next)
  }
  return positions.has(steps.length)
}

/** A star may also stand for nothing. */
function skipStars(steps: readonly Step[], positions: Iterable<number>): Set<number> {
  const all = new Set(positions)
  for (const position of all) {
    const step = steps[position]
    if (step === '*' || step === '**') all.add(position + 1)
  }
  return all
}
