import { parseArgs } from 'node:util'
import { nearest } from '../nearest.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'

/** An option that takes a value. */
export interface ValueOption {
  /** What stands for the value in the help: `HOST:PORT`. */
  readonly value: string
  readonly help: string
  readonly default?: string
}

/** An option that is there or not. */
export interface Flag {
  readonly help: string
}

/** Long name → option; the help lists them in this order. */
export type OptionTable = Readonly<Record<string, ValueOption | Flag>>

/** A flag is a boolean, an option with a default a string, any other a string or absent. */
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { readonly value: string }
    ? T[K] extends { readonly default: string }
      ? string
      : string | undefined
    : boolean
}

/**
 * Reads `--name value`, `--name=value` and `--flag`; nothing else is accepted, and nothing twice.
 *
 * @throws {@link CliError} naming the nearest option
 */
export function parseOptions<T extends OptionTable>(args: readonly string[], table: T): OptionValues<T> {
  const config = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, { type: 'value' in option ? 'string' : 'boolean' } as const]),
  )
  // Not strict: its messages cannot name the option that was meant. What strictness checks is checked below.
  const { tokens } = parseArgs({
    args: [...args],
    options: config,
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const values: Record<string, string | boolean | undefined> = defaultsOf(table)
  const seen = new Set<string>()
  for (const token of tokens) {
    if (token.kind === 'positional') throw usage(`unexpected argument ${JSON.stringify(token.value)}`)
    if (token.kind === 'option-terminator') continue
    const option = token.rawName.startsWith('--') && Object.hasOwn(table, token.name) ? table[token.name] : undefined
    if (option === undefined) throw usage(`unknown option ${token.rawName}${suggestion(token.rawName, table)}`)
    if (seen.has(token.name)) throw usage(`${token.rawName} is given twice`)
    seen.add(token.name)
    values[token.name] = readValue(option, token.rawName, token.value)
  }
  return values as OptionValues<T> // every key of the table was set, by its kind
}

function defaultsOf(table: OptionTable): Record<string, string | boolean | undefined> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, 'value' in option ? option.default : false]),
  )
}

function readValue(option: ValueOption | Flag, name: string, value: string | undefined): string | boolean {
  if (!('value' in option)) {
    if (value !== undefined) throw usage(`${name} takes no value`)
    return true
  }
  // `--listen --read-only`: the second is not an address.
  if (value === undefined || value === '' || value.startsWith('--'))
    throw usage(`${name} needs a value: ${name} ${option.value}`)
  return value
}

function suggestion(given: string, table: OptionTable): string {
  const guess = nearest(given.replace(/^-{1,2}/, ''), Object.keys(table))
  return guess === undefined ? '' : `: did you mean --${guess}?`
}

function usage(message: string): CliError {
  return new CliError(`${message} (--help lists the options)`, EXIT_USAGE)
}
