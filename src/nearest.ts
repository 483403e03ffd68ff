/** The candidate that `text` was probably meant to be; `undefined` when none is near enough to suggest. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  // A third of the letters may be wrong, and two in a short word: beyond that a guess misleads.
  let limit = Math.max(2, Math.floor(text.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = candidate.startsWith(text) && text.length > 1 ? 0 : editDistance(text, candidate)
    if (distance < limit) {
      limit = distance
      best = candidate
    }
  }
  return best
}

/** Insertions, deletions and replacements from `a` to `b` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
