// Owns what a check leaves lying about (child processes, temporary directories) and takes it away however the check ends.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Runs `work(scope)`, then ends every child and removes every directory the scope gave out. */
export async function withScope(work) {
  const scope = new Scope()
  const interrupted = async () => {
    await scope.close()
    process.exit(130)
  }
  const exiting = () => scope.abandon()
  process.once('exit', exiting)
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    return await work(scope)
  } finally {
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
    await scope.close()
    process.off('exit', exiting)
  }
}

class Scope {
  #closers = []
  #children = []
  #directories = []

  async tempDir(purpose) {
    const dir = await mkdtemp(join(tmpdir(), `wharfage-ci-${purpose}-`))
    this.#directories.push(dir)
    this.#closers.push(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }))
    return dir
  }

  /** `close` runs at the end, before what was there earlier is taken away. */
  onClose(close) {
    this.#closers.push(close)
  }

  /** A long-running child; both outputs are kept in `output` for messages. */
  spawn(command, args, options = {}) {
    const child = new Child(command, args, options)
    this.#children.push(child)
    this.#closers.push(() => child.stop())
    return child
  }

  /** For an end of this process that waits for nothing: an exception nobody caught. */
  abandon() {
    for (const child of this.#children) child.kill()
    for (const dir of this.#directories) rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }

  async close() {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }
}

class Child {
  output = ''
  /** Resolves to `{ code, signal }`. */
  exited
  #process

  constructor(command, args, options) {
    this.#process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        // Only the head (where a server says its port) and the tail (where it says why it died) are of use.
        this.output += chunk
        if (this.output.length > 400_000)
          this.output = `${this.output.slice(0, 100_000)}\n…\n${this.output.slice(-100_000)}`
      })
    }
    this.exited = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => resolve({ code, signal }))
      this.#process.once('error', (error) => {
        this.output += `${error.message}\n`
        resolve({ code: 127, signal: null })
      })
    })
  }

  get pid() {
    return this.#process.pid
  }

  kill() {
    this.#process.kill('SIGKILL')
  }

  /** The first match of `pattern` in the output; rejects when the child ends or `timeoutMs` passes first. */
  async waitFor(pattern, timeoutMs = 30_000) {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      const ended = await Promise.race([this.exited, delay(20)])
      if (ended || Date.now() > deadline) {
        throw new Error(`${ended ? 'ended' : 'timed out'} before ${pattern} was printed:\n${this.output.slice(-4000)}`)
      }
    }
  }

  /** SIGTERM, and SIGKILL to one that has not gone after `graceMs`. Resolves to `{ code, signal }`. */
  async stop(graceMs = 15_000) {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMs)
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }
}
