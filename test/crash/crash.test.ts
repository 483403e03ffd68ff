import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { crash } from './rounds.ts'

/** `npm run soak` kills more often. */
const SOAK = process.env.WHARFAGE_SOAK
const ROUNDS = SOAK === undefined ? 20 : SOAK === 'large' ? 300 : Number(SOAK)

const IN_PLACE = fileURLToPath(new URL('in-place-server.js', import.meta.url))

describe('wharfage serve, killed under eight pushers', () => {
  let directory = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'wharfage-crash-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it(`has all it acknowledged and nothing in part, ${ROUNDS} times`, { timeout: 20_000 + ROUNDS * 6000 }, async () => {
    const args = [COMMAND, 'serve', '--listen', '127.0.0.1:0', '--storage', `file:${directory}`]
    const report = await crash({ start: () => new RunningCommand(args), directory, rounds: ROUNDS })
    const { lost, partial, surprises, ...pushed } = report
    expect({ lost, partial, surprises }).toEqual({ lost: [], partial: [], surprises: [] })
    console.log(`${ROUNDS} kills: lost 0, partial 0 of`, pushed)
    // A server that acknowledges nothing loses nothing.
    expect(pushed.blobs).toBeGreaterThan(ROUNDS)
    expect(pushed.manifests).toBeGreaterThan(ROUNDS)
    expect(pushed.resumed).toBeGreaterThan(0)
  })

  it('would be found out if it wrote in place instead of naming what is whole', { timeout: 60_000 }, async () => {
    const start = () => new RunningCommand([IN_PLACE, directory])
    const { lost, partial } = await crash({ start, directory, rounds: 10, stopEarly: true })
    expect([...partial, ...lost]).not.toEqual([])
  })
})
