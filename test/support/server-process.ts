import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The command as it is built: `npm test` builds before it runs the tests. */
export const COMMAND: string = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url))

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** What its standard input brings. Absent: nothing. */
  readonly input?: string
}

/** A command run as a child: what it prints, and how it ends. */
export class RunningCommand implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly exit: Promise<Exit>
  stdout = ''
  stderr = ''

  /** @param args - of node, the same as runs the tests: a script and what follows it */
  constructor(args: readonly string[], options: CommandOptions = {}) {
    const { input, ...rest } = options
    const stdin = input === undefined ? 'ignore' : 'pipe'
    this.#child = spawn(process.execPath, args, { stdio: [stdin, 'pipe', 'pipe'], ...rest })
    this.#child.stdin?.on('error', () => {}).end(input) // it may end without reading
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // 'close', not 'exit': by then all that it printed has come.
    this.exit = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves with `http://host:port`, or `https:`, when the command says that it listens. @throws when it ends before that */
  async listening(): Promise<string> {
    for (;;) {
      const url = /^listening on (https?:\/\/\S+)$/m.exec(this.stdout)?.[1]
      if (url !== undefined) return url
      const ended = await Promise.race([this.exit, this.#output('stdout')])
      if (ended !== undefined) throw new Error(`ended with ${JSON.stringify(ended)}: ${this.stderr}`)
    }
  }

  /** Resolves when standard error contains `text`. */
  async says(text: string): Promise<void> {
    while (!this.stderr.includes(text)) {
      const ended = await Promise.race([this.exit, this.#output('stderr')])
      if (ended !== undefined && !this.stderr.includes(text)) throw new Error(`ended without saying it: ${this.stderr}`)
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exit
  }

  async #output(from: 'stdout' | 'stderr'): Promise<undefined> {
    const stream = this.#child[from]
    if (stream !== null) await once(stream, 'data')
  }
}
