import { COMMAND, RunningCommand } from '../support/server-process.ts'
import type { RunningServer } from '../support/servers/index.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** Processes over one bucket, and a router that asks any of them. */
export class Cluster implements AsyncDisposable {
  readonly #start: () => RunningCommand
  readonly #random: () => number
  readonly #nodes: { readonly command: RunningCommand; readonly url: string }[] = []
  /** How often a process was killed. */
  kills = 0

  private constructor(start: () => RunningCommand, random: () => number) {
    this.#start = start
    this.#random = random
  }

  static async start(size: number, store: RunningServer, storage: string, random: () => number): Promise<Cluster> {
    const args = [COMMAND, 'serve', '--listen', '127.0.0.1:0', '--no-redirect', '--storage', storage]
    const env = { ...process.env, ...store.environment, NODE_NO_WARNINGS: '1' }
    const cluster = new Cluster(() => new RunningCommand(args, { env }), random)
    await Promise.all(Array.from({ length: size }, () => cluster.#add()))
    return cluster
  }

  /** Sends to a random node. @throws when that one does not answer to the end */
  async ask(method: string, path: string, headers: Record<string, string> = {}, body?: Uint8Array): Promise<Answer> {
    return this.askNode(Math.floor(this.#random() * this.#nodes.length), method, path, headers, body)
  }

  async askNode(
    index: number,
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Uint8Array,
  ): Promise<Answer> {
    const node = this.#nodes[index]
    if (node === undefined) throw new Error('no such node at this moment')
    const response = await fetch(node.url + path, { method, headers, ...(body && { body: Buffer.from(body) }) })
    return {
      status: response.status,
      headers: response.headers,
      body: Buffer.from(await response.arrayBuffer()),
    }
  }

  /** As a client does whose connection breaks: asks another one. */
  async askUntilAnswered(...request: Parameters<Cluster['ask']>): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await this.ask(...request)
        if (answer.status < 500) return answer
        if (tries === 50) throw new Error(`${request[0]} ${request[1]}: ${answer.status} ${answer.body}`)
      } catch (error) {
        if (tries === 50) throw error
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Ends one process at once, in the middle of whatever it does, and starts another in its place. */
  async killOne(): Promise<void> {
    const [node] = this.#nodes.splice(Math.floor(this.#random() * this.#nodes.length), 1)
    if (node === undefined) return
    this.kills++
    node.command.kill('SIGKILL')
    await node.command.exit
    await this.#add()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map(({ command }) => command[Symbol.asyncDispose]()))
  }

  /** Ends all as an operator does; resolves with their exit codes. */
  async stop(): Promise<(number | null)[]> {
    for (const { command } of this.#nodes) command.kill('SIGTERM')
    const exits = await Promise.all(this.#nodes.map(({ command }) => command.exit))
    return exits.map(({ code }) => code)
  }

  async #add(): Promise<void> {
    const command = this.#start()
    this.#nodes.push({ command, url: await command.listening() })
  }
}
