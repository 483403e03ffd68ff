/** `*` stands for any characters but `/`, `**` for any characters at all; the rest for itself. A text matches as a whole. */
export type Glob = string

/** Whether a text matches, in time no longer than its length times the pattern's. */
export function compileGlob(glob: Glob): (text: string) => boolean {
  const steps = parseGlob(glob)
  const first = steps.findIndex(isStar)
  if (first < 0) return (text) => text === glob
  const last = steps.findLastIndex(isStar)
  // Most texts are told by what is before the first star and after the last.
  const head = steps.slice(0, first).join('')
  const tail = steps.slice(last + 1).join('')
  const between = matchStars(steps.slice(first, last + 1))
  return (text) =>
    text.length >= head.length + tail.length &&
    text.startsWith(head) &&
    text.endsWith(tail) &&
    between(text, head.length, text.length - tail.length)
}

/** A character that stands for itself, or one of the two stars. */
export function parseGlob(glob: Glob): readonly string[] {
  return glob.match(/\*{2,}|./gs)?.map((step) => (step.length > 1 ? '**' : step)) ?? []
}

function isStar(step: string): boolean {
  return step === '*' || step === '**'
}

/** Whether `text` matches from `start` to before `end`. The first step and the last are stars. */
type MatchRange = (text: string, start: number, end: number) => boolean

function matchStars(steps: readonly string[]): MatchRange {
  if (steps.length > 1) return matchSteps(steps)
  if (steps[0] === '**') return () => true
  return (text, start, end) => {
    const slash = text.indexOf('/', start)
    return slash < 0 || slash >= end
  }
}

function matchSteps(steps: readonly string[]): MatchRange {
  const isExact = !steps.includes('*')
  const literals = steps
    .map((step) => (isStar(step) ? '*' : step))
    .join('')
    .split('*')
    .filter((literal) => literal !== '')
  const matchAll = matchAtOnce(steps)
  return (text, start, end) => {
    let from = start
    for (const literal of literals) {
      const found = text.indexOf(literal, from)
      if (found < 0 || found + literal.length > end) return false
      from = found + literal.length
    }
    // That was all, unless what is between them may hold no slash.
    return isExact || matchAll(text, start, end)
  }
}

/** Follows all positions in the pattern at once. */
function matchAtOnce(steps: readonly string[]): MatchRange {
  return (text, start, end) => {
    // 1 at each step that the text up to here may have come to.
    let at = new Uint8Array(steps.length + 1)
    let next = new Uint8Array(steps.length + 1)
    at[0] = 1
    skipStars(steps, at)
    for (let i = start; i < end; i++) {
      const c = text.charAt(i)
      next.fill(0)
      for (let position = 0; position < steps.length; position++) {
        if (at[position] === 0) continue
        const step = steps[position]
        if (step === '**' || (step === '*' && c !== '/')) next[position] = 1
        else if (step !== '*' && step === c) next[position + 1] = 1
      }
      skipStars(steps, next)
      ;[at, next] = [next, at]
    }
    return at[steps.length] === 1
  }
}

/** A star may also stand for nothing. */
function skipStars(steps: readonly string[], at: Uint8Array): void {
  for (let position = 0; position < steps.length; position++) {
    if (at[position] === 1 && isStar(steps[position] ?? '')) at[position + 1] = 1
  }
}
