import { checkOptions, kindOf } from '../arguments.ts'
import type { RunConfig } from './config.ts'

/** What a container of the image is started with. `null` takes away what there was. */
export interface RunOptions {
  /** Also the arguments of `entrypoint`, where there is one. */
  readonly cmd?: readonly string[] | null
  /** Unless `cmd` is given as well, the one that was there goes, as in a Dockerfile: it was meant for another program. */
  readonly entrypoint?: readonly string[] | null
  /** Added to what is there; `null` takes a variable away. */
  readonly env?: Readonly<Record<string, string | null>>
  readonly workdir?: string | null
  /** `node`, `1000`, `1000:1000`. */
  readonly user?: string | null
  /** Added to what is there; `null` takes a label away. */
  readonly labels?: Readonly<Record<string, string | null>>
  /** Added to what is there: `8080`, `'53/udp'`. */
  readonly exposedPorts?: readonly (number | string)[]
  /** Added to what is there. */
  readonly volumes?: readonly string[]
  /** `SIGTERM`, `SIGQUIT`, `9`. */
  readonly stopSignal?: string | null
}

/** @throws `TypeError` naming the option that is wrong */
export function checkRunOptions(options: RunOptions): void {
  checkOptions<RunOptions>('config()', options, {
    cmd: true,
    entrypoint: true,
    env: true,
    workdir: true,
    user: true,
    labels: true,
    exposedPorts: true,
    volumes: true,
    stopSignal: true,
  })
  for (const name of ['cmd', 'entrypoint', 'volumes'] as const) {
    const value: unknown = options[name]
    if (value === undefined || (value === null && name !== 'volumes') || isTexts(value)) continue
    throw new TypeError(
      `the option "${name}" must be a list of strings, ['node', 'server.js'] say, not ${kindOf(value)}`,
    )
  }
  for (const name of ['workdir', 'user', 'stopSignal'] as const) {
    const value: unknown = options[name]
    if (value !== undefined && value !== null && typeof value !== 'string') {
      throw new TypeError(`the option "${name}" must be a string, not ${kindOf(value)}`)
    }
  }
  for (const name of ['env', 'labels'] as const) checkTexts(name, options[name])
  for (const port of options.exposedPorts ?? []) portName(port)
}

/** In place of what a base has, or beside it, as each option says. The same options make the same bytes. */
export function applyRunOptions(base: RunConfig, options: RunOptions): RunConfig {
  const { cmd, entrypoint, env, workdir, user, labels, exposedPorts, volumes, stopSignal } = options
  const changed: Record<string, unknown> = { ...base }
  const set = (name: keyof RunConfig, value: unknown) => {
    if (value === null) delete changed[name]
    else if (value !== undefined) changed[name] = value
  }
  set('User', user)
  if (exposedPorts !== undefined) set('ExposedPorts', withKeys(base.ExposedPorts, exposedPorts.map(portName)))
  if (env !== undefined) set('Env', withVariables(base.Env ?? [], env))
  set('Entrypoint', entrypoint)
  set('Cmd', entrypoint !== undefined && cmd === undefined ? null : cmd)
  if (volumes !== undefined) set('Volumes', withKeys(base.Volumes, volumes))
  set('WorkingDir', workdir)
  if (labels !== undefined) set('Labels', sorted({ ...base.Labels, ...labels }))
  set('StopSignal', stopSignal)
  return changed // each by the name and kind that the interface gives it
}

/** By key, without those that are `null`. */
export function sorted(record: Readonly<Record<string, string | null>>): Readonly<Record<string, string>> {
  const kept = Object.entries(record).filter((entry): entry is [string, string] => entry[1] !== null)
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** @throws `TypeError` for what is no object of strings */
export function checkTexts(name: string, value: unknown): void {
  if (value === undefined) return
  const isRight =
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((item) => item === null || typeof item === 'string')
  if (!isRight || Array.isArray(value)) {
    throw new TypeError(
      `the option "${name}" must be an object of strings, { NAME: 'value' } say, not ${kindOf(value)}`,
    )
  }
  const odd = Object.keys(value).find((key) => key === '' || (name === 'env' && key.includes('=')))
  if (odd !== undefined) throw new TypeError(`the option "${name}" has the name ${JSON.stringify(odd)}`)
}

/** One that there is keeps its place. */
function withVariables(base: readonly string[], env: Readonly<Record<string, string | null>>): readonly string[] {
  const variables = new Map(base.map((text) => [text.split('=', 1)[0] ?? '', text]))
  for (const [name, value] of Object.entries(env)) {
    if (value === null) variables.delete(name)
    else variables.set(name, `${name}=${value}`)
  }
  return [...variables.values()]
}

function withKeys(
  base: Readonly<Record<string, object>> | undefined,
  added: readonly string[],
): Readonly<Record<string, object>> {
  const keys = new Set([...Object.keys(base ?? {}), ...added])
  return Object.fromEntries([...keys].sort().map((key) => [key, base?.[key] ?? {}]))
}

function portName(port: number | string): string {
  const [, number = '', protocol = 'tcp'] = /^(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/.exec(String(port)) ?? []
  if (number === '' || number.split('-').some((part) => Number(part) < 1 || Number(part) > 65_535)) {
    throw new TypeError(
      `the option "exposedPorts" must be a list of ports, [8080, '53/udp'] say, not of ${kindOf(port)}`,
    )
  }
  return `${number}/${protocol}`
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
