import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporaryDirectory = temporaryDirectories()
const SERVE = [COMMAND, 'serve', '--storage', 'memory:', '--listen', '127.0.0.1:0', '--audit-log']

/** Ids of the requests that a log tells of. */
async function idsIn(file: string): Promise<unknown[]> {
  const text = await readFile(file, 'utf8')
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).requestId]))
}

async function ask(url: string, id: string): Promise<number> {
  const answer = await fetch(`${url}/v2/`, { headers: { 'x-request-id': id } })
  await answer.arrayBuffer()
  return answer.status
}

describe('wharfage serve --audit-log', () => {
  it('is a line of JSON for each decision', async () => {
    const file = join(await temporaryDirectory(), 'audit.jsonl')
    await using server = new RunningCommand([...SERVE, file])
    await ask(await server.listening(), 'one')
    await vi.waitFor(async () => expect(await idsIn(file)).toEqual(['one']))
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      requestId: 'one',
      outcome: 'allowed',
      address: '127.0.0.1',
      method: 'GET',
      route: 'ping',
      required: [],
      details: {},
    })
  })

  it('is added to, and goes on under its name after SIGHUP', async () => {
    const directory = await temporaryDirectory()
    const [file, old] = [join(directory, 'audit.jsonl'), join(directory, 'audit.jsonl.1')]
    await writeFile(file, '{"requestId":"before"}\n')
    await using server = new RunningCommand([...SERVE, file])
    const url = await server.listening()
    await ask(url, 'one')
    await vi.waitFor(async () => expect(await idsIn(file)).toEqual(['before', 'one']))
    await rename(file, old)
    await ask(url, 'two')
    await vi.waitFor(async () => expect(await idsIn(old)).toEqual(['before', 'one', 'two']))
    server.kill('SIGHUP')
    // A signal comes when it comes: whatever is asked before it goes into the old file.
    await vi.waitFor(async () => {
      await ask(url, 'three')
      expect(await idsIn(file)).toContain('three')
    })
    server.kill('SIGTERM')
    expect(await server.exit).toEqual({ code: 0, signal: null })
    expect(server.stderr).toBe('')
  })

  it.skipIf(!existsSync('/dev/full'))(
    'keeps nobody waiting where it cannot be written, says so once, and what is missing in the end',
    async () => {
      const directory = await temporaryDirectory()
      const file = join(directory, 'audit.jsonl')
      await symlink('/dev/full', file)
      await using server = new RunningCommand([...SERVE, file])
      const url = await server.listening()
      for (const id of ['one', 'two', 'three']) expect(await ask(url, id)).toBe(200)
      await server.says('the audit log cannot be written')
      await unlink(file)
      await vi.waitFor(async () => {
        await ask(url, 'four')
        expect(server.stderr).toContain('missing')
      })
      expect(await idsIn(file)).toContain('four')
      expect(server.stderr).toMatch(
        /^wharfage: the audit log cannot be written: ENOSPC.*\nwharfage: the audit log is written again; \d+ decision\(s\) are missing\n$/,
      )
    },
  )

  it('outlives whoever reads it from standard output', async () => {
    const child = spawn(process.execPath, [...SERVE, '-'], { stdio: ['ignore', 'pipe', 'pipe'] })
    try {
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      const url = await vi.waitFor(
        () => /^listening on (\S+)$/m.exec(said)?.[1] ?? Promise.reject(new Error(said)),
        10_000,
      )
      await ask(url, 'one')
      await vi.waitFor(() => expect(said).toContain('"requestId":"one"'))
      child.stdout.destroy()
      for (const id of ['two', 'three']) expect(await ask(url, id)).toBe(200)
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    } finally {
      child.kill('SIGKILL')
    }
  })
})
