// @ts-check
// How often a server syncs: counted by strace, attached while a scenario runs. Durable writes cost syncs, so where a server
// is slower this tells why.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { measure } from './measure.js'

/**
 * @param {import('./servers.js').Server} server
 * @param {import('./scenarios.js').Scenario} scenario
 * @param {import('./scenarios.js').Round} round
 * @param {string} file for strace's output
 * @returns {Promise<number>} syncs per operation
 */
export async function countSyncs(server, scenario, round, file) {
  const args = ['-f', '-e', 'trace=fsync,fdatasync,syncfs,sync_file_range,sync', '-o', file, '-p', String(server.pid)]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(strace, 'exit')
  const [attached] = await Promise.race([once(strace.stderr, 'data'), ended])
  if (!String(attached).includes('attached')) throw new Error(`strace does not attach: ${attached}`)
  strace.stderr.resume()
  const { operations } = await measure(server, scenario, round)
  strace.kill('SIGINT')
  await ended
  const calls = (await readFile(file, 'latin1')).match(/\b(fsync|fdatasync|syncfs|sync_file_range|sync)\(/g)
  return (calls?.length ?? 0) / operations
}
