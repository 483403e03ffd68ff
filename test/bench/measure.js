// @ts-check
// One scenario against one server: how long, and what the server spent.
import { Connection } from './connection.js'
import { cpuSeconds, peakBytes, resetPeak } from './usage.js'

/** @typedef {import('./scenarios.js').Round} Round */
/** @typedef {import('./scenarios.js').Scenario} Scenario */

/**
 * @typedef {object} Sample
 * @property {number} operations
 * @property {number} seconds
 * @property {number} cpuSeconds of the server
 * @property {number} clientCpuSeconds of this process: near `seconds`, and the figure is the client's
 * @property {number} peakBytes resident memory of the server, at most
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} errors
 */

/**
 * @param {import('./servers.js').Server} server
 * @param {Scenario} scenario
 * @param {Round} round
 * @returns {Promise<Sample>}
 */
export async function measure(server, scenario, round) {
  const connections = await Promise.all(Array.from({ length: scenario.workers }, () => Connection.open(server.port)))
  try {
    const [first] = connections
    if (first !== undefined) await scenario.prepare?.(first, round)
    return await timed(server, scenario, round, connections)
  } finally {
    for (const connection of connections) connection.close()
  }
}

/**
 * @param {import('./servers.js').Server} server
 * @param {Scenario} scenario
 * @param {Round} round
 * @param {readonly Connection[]} connections
 */
async function timed(server, scenario, round, connections) {
  const operations = scenario.operations(round)
  const latencies = new Float64Array(operations)
  let next = 0
  let errors = 0
  const worker = async (/** @type {Connection} */ connection) => {
    for (let i = next++; i < operations; i = next++) {
      const start = performance.now()
      try {
        await scenario.run(connection, round, i)
      } catch (error) {
        if (errors++ === 0) console.error(`${server.name} ${scenario.name}:`, error)
        if (errors > 20) throw new Error(`${server.name} ${scenario.name}: too many errors`, { cause: error })
      }
      latencies[i] = performance.now() - start
    }
  }
  resetPeak(server.pid)
  const cpuBefore = cpuSeconds(server.pid)
  const ownBefore = process.cpuUsage()
  const start = performance.now()
  await Promise.all(connections.map(worker))
  const seconds = (performance.now() - start) / 1000
  const own = process.cpuUsage(ownBefore)
  latencies.sort()
  return {
    operations,
    seconds,
    cpuSeconds: cpuSeconds(server.pid) - cpuBefore,
    clientCpuSeconds: (own.user + own.system) / 1e6,
    peakBytes: peakBytes(server.pid),
    p50Ms: latencies[Math.floor(operations / 2)] ?? 0,
    p99Ms: latencies[Math.floor(operations * 0.99)] ?? 0,
    errors,
  }
}
