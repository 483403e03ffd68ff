import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { filesystem } from '../../../src/drivers/filesystem.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'

const directory = temporaryDirectories()
const SCRIPT = fileURLToPath(new URL('counting-process.js', import.meta.url))

interface Counted {
  readonly numbers: number[]
  readonly made: number[]
}

/** Starts a process; resolves when it is ready with what lets it run, which resolves with what it did. */
async function start(args: readonly string[]): Promise<() => Promise<Counted>> {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const closed = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), closed])
  return async () => {
    child.stdin.on('error', () => {})
    child.stdin.end('go\n')
    const [code] = await closed
    expect(code).toBe(0)
    return JSON.parse(output.slice(output.indexOf('\n') + 1))
  }
}

describe('four processes over one directory', () => {
  it('never both replace one version, or both make one key', async () => {
    const root = await directory()
    const driver = filesystem(root)
    await driver.put('number', Buffer.from('0'))
    const runs = await Promise.all(Array.from({ length: 4 }, () => start([root, '25', '40'])))
    const counted = await Promise.all(runs.map((run) => run()))
    const numbers = counted.flatMap((one) => one.numbers).sort((a, b) => a - b)
    expect(numbers).toEqual(Array.from(numbers, (_, index) => index + 1))
    expect(Buffer.from((await driver.get('number')).content).toString()).toBe(String(numbers.length))
    const made = counted.flatMap((one) => one.made).sort((a, b) => a - b)
    expect(made).toEqual(Array.from({ length: 40 }, (_, index) => index))
  })
})
