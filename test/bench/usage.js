// @ts-check
// What a process has used, from /proc; zeroes where there is none.
import { readFileSync, writeFileSync } from 'node:fs'

/** Clock ticks per second in /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS = 100

/**
 * @param {number} pid
 * @returns {number} seconds of processor time since it began, of all its threads
 */
export function cpuSeconds(pid) {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before may contain spaces
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS
}

/**
 * @param {number} pid
 * @returns {number} bytes of resident memory at most, since `resetPeak`
 */
export function peakBytes(pid) {
  return Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
}

/** @param {number} pid */
export function resetPeak(pid) {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // Not Linux, or not ours: the peak is then that of the whole life.
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
