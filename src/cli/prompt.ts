import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { readAll } from '../bytes.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'
import { EXIT_INTERRUPTED } from './interrupt.ts'

/** Longer than any token. */
const MAX_INPUT_BYTES = 64 * 1024

/** Whether there is somebody to ask. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}

/** On the standard error, so that the output stays what it is. */
export async function ask(question: string, signal?: AbortSignal): Promise<string> {
  return (await answerTo(question, process.stderr, signal)).trim()
}

/** What is typed is not shown. */
export async function askSecret(question: string, signal?: AbortSignal): Promise<string> {
  process.stderr.write(question)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  try {
    return await answerTo('', nowhere, signal)
  } finally {
    process.stderr.write('\n')
  }
}

async function answerTo(question: string, output: Writable, signal: AbortSignal | undefined): Promise<string> {
  const asking = createInterface({ input: process.stdin, output, terminal: true })
  try {
    return await asking.question(question, signal ? { signal } : {})
  } catch (error) {
    // Ctrl+C: while a line is read, the terminal sends it as a key and no signal comes.
    if (error instanceof Error && error.name === 'AbortError') throw new CliError('interrupted', EXIT_INTERRUPTED)
    throw error
  } finally {
    asking.close()
  }
}

/** A password that is piped in, without the line end that `echo` adds. */
export async function readSecret(): Promise<string> {
  const content = await readAll(process.stdin, MAX_INPUT_BYTES)
  if (content === undefined) throw new CliError('the password on the standard input is too long', EXIT_USAGE)
  return Buffer.from(content)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}
