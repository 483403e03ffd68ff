import { parseArgs } from 'node:util'
import { nearest } from '../nearest.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'

/** An option that takes a value. */
export interface ValueOption {
  /** What stands for the value in the help: `HOST:PORT`. */
  readonly value: string
  readonly help: string
  readonly default?: string
  /** May be given any number of times: its values are a list. */
  readonly repeatable?: true
}

/** An option that is there or not. */
export interface Flag {
  readonly help: string
}

/** Long name → option; the help lists them in this order. */
export type OptionTable = Readonly<Record<string, ValueOption | Flag>>

/** A flag is a boolean, a repeatable option a list, an option with a default a string, any other a string or absent. */
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { readonly value: string }
    ? T[K] extends { readonly repeatable: true }
      ? readonly string[]
      : T[K] extends { readonly default: string }
        ? string
        : string | undefined
    : boolean
}

export interface CommandLine<T extends OptionTable> {
  readonly values: OptionValues<T>
  /** As many as there are names for. */
  readonly positionals: readonly string[]
}

/**
 * Reads `--name value`, `--name=value` and `--flag`; nothing else is accepted, and nothing twice but what is repeatable.
 *
 * @throws {@link CliError} naming the nearest option
 */
export function parseOptions<T extends OptionTable>(args: readonly string[], table: T): OptionValues<T> {
  return parseCommandLine(args, table, []).values
}

/**
 * The same, with arguments that are no options, each of which must be there.
 *
 * @param names - what stands for them in the help: `SRC`
 * @throws {@link CliError}
 */
export function parseCommandLine<T extends OptionTable>(
  args: readonly string[],
  table: T,
  names: readonly string[],
): CommandLine<T> {
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
  const values = defaultsOf(table)
  const positionals: string[] = []
  const seen = new Set<string>()
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      if (positionals.push(token.value) > names.length)
        throw usage(`unexpected argument ${JSON.stringify(token.value)}`)
      continue
    }
    const option = token.rawName.startsWith('--') && Object.hasOwn(table, token.name) ? table[token.name] : undefined
    if (option === undefined) throw usage(`unknown option ${token.rawName}${suggestion(token.rawName, table)}`)
    const value = readValue(option, token.rawName, token.value)
    const list = values[token.name]
    if (Array.isArray(list) && typeof value === 'string') {
      list.push(value)
      continue
    }
    if (seen.has(token.name)) throw usage(`${token.rawName} is given twice`)
    seen.add(token.name)
    values[token.name] = value
  }
  const missing = names[positionals.length]
  if (missing !== undefined) throw usage(`${missing} is missing`)
  return { values: values as OptionValues<T>, positionals } // every key of the table was set, by its kind
}

function defaultsOf(table: OptionTable): Record<string, string | string[] | boolean | undefined> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => {
      if (!('value' in option)) return [name, false]
      return [name, option.repeatable ? [] : option.default]
    }),
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
