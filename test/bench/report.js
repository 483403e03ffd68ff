// @ts-check
// From samples to the table that is printed.

/** @typedef {import('./measure.js').Sample} Sample */

/**
 * One scenario against one server, over all rounds.
 *
 * @typedef {object} Figure
 * @property {number} opsPerSecond median of the rounds
 * @property {number | undefined} megabytesPerSecond
 * @property {number} cpuMsPerOp
 * @property {number} peakMegabytes
 * @property {number} p99Ms median of the rounds
 */

/**
 * @param {readonly Sample[]} samples
 * @param {number | undefined} bytesPerOp
 * @returns {Figure}
 */
export function figureOf(samples, bytesPerOp) {
  const sum = (/** @type {(sample: Sample) => number} */ of) => samples.reduce((total, sample) => total + of(sample), 0)
  const opsPerSecond = median(samples.map(({ operations, seconds }) => operations / seconds))
  return {
    opsPerSecond,
    megabytesPerSecond: bytesPerOp === undefined ? undefined : (opsPerSecond * bytesPerOp) / 1e6,
    cpuMsPerOp: (sum(({ cpuSeconds }) => cpuSeconds) / sum(({ operations }) => operations)) * 1000,
    peakMegabytes: Math.max(...samples.map(({ peakBytes }) => peakBytes)) / 1e6,
    p99Ms: median(samples.map(({ p99Ms }) => p99Ms)),
  }
}

/**
 * Speed of `ours` in terms of `theirs`, above 1 where we are faster: each round against the one right beside it.
 *
 * @param {readonly Sample[]} ours
 * @param {readonly Sample[]} theirs
 */
export function speedRatio(ours, theirs) {
  const rate = (/** @type {Sample} */ { operations, seconds }) => operations / seconds
  return median(ours.flatMap((sample, i) => (theirs[i] === undefined ? [] : [rate(sample) / rate(theirs[i])])))
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * Columns as wide as they need to be, the first to the left, figures to the right.
 *
 * @param {readonly (readonly string[])[]} rows
 */
export function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n')
}

/** @param {number | undefined} value */
export function number(value) {
  if (value === undefined || !Number.isFinite(value)) return '-'
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
