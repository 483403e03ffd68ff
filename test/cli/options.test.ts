import { describe, expect, it } from 'vitest'
import { CliError, EXIT_USAGE } from '../../src/cli/cli-error.ts'
import { optionsHelp } from '../../src/cli/help.ts'
import { type OptionTable, parseCommandLine, parseOptions } from '../../src/cli/options.ts'

const TABLE = {
  listen: { value: 'HOST:PORT', default: '127.0.0.1:5000', help: 'where' },
  'public-url': { value: 'URL', help: 'address' },
  'read-only': { help: 'no changes' },
} as const satisfies OptionTable

describe('parseOptions', () => {
  it('gives defaults, absent values and flags for an empty command line', () => {
    expect(parseOptions([], TABLE)).toEqual({ listen: '127.0.0.1:5000', 'public-url': undefined, 'read-only': false })
  })

  it.each([
    [['--listen', '[::1]:0', '--read-only'], { listen: '[::1]:0', 'public-url': undefined, 'read-only': true }],
    [['--listen=:80', '--public-url=https://a/'], { listen: ':80', 'public-url': 'https://a/', 'read-only': false }],
  ])('reads %j', (args, expected) => {
    expect(parseOptions(args, TABLE)).toEqual(expected)
  })

  it.each([
    [['--lisen', ':80'], 'unknown option --lisen: did you mean --listen?'],
    [['--readonly'], 'unknown option --readonly: did you mean --read-only?'],
    [['--public'], 'unknown option --public: did you mean --public-url?'],
    [['--xyzzy'], 'unknown option --xyzzy'],
    [['-l', ':80'], 'unknown option -l'],
    [['--constructor'], 'unknown option --constructor'],
    [['--listen'], '--listen needs a value: --listen HOST:PORT'],
    [['--listen', '--read-only'], '--listen needs a value: --listen HOST:PORT'],
    [['--listen='], '--listen needs a value: --listen HOST:PORT'],
    [['--read-only=yes'], '--read-only takes no value'],
    [['--listen', ':80', '--listen', ':81'], '--listen is given twice'],
    [['5000'], 'unexpected argument "5000"'],
    [['--', '--listen'], 'unexpected argument "--listen"'],
  ])('refuses %j: %s', (args, message) => {
    expect(() => parseOptions(args, TABLE)).toThrow(new CliError(`${message} (--help lists the options)`, EXIT_USAGE))
  })
})

describe('parseCommandLine', () => {
  const table = { tag: { value: 'GLOB', repeatable: true, help: 'which' }, quiet: { help: 'no words' } } as const
  const parse = (...args: readonly string[]) => parseCommandLine(args, table, ['SRC', 'DST'])

  it('gives the arguments that are no options, wherever they stand', () => {
    expect(parse('a', '--quiet', '-')).toEqual({ values: { tag: [], quiet: true }, positionals: ['a', '-'] })
    expect(parse('--', '--quiet', 'b')).toEqual({ values: { tag: [], quiet: false }, positionals: ['--quiet', 'b'] })
  })

  it('lists the values of what is repeatable, for each command line anew', () => {
    expect(parse('--tag', 'v1*', 'a', '--tag=v2', 'b').values.tag).toEqual(['v1*', 'v2'])
    expect(parse('a', 'b').values.tag).toEqual([])
  })

  it.each([
    [[], 'SRC is missing'],
    [['a'], 'DST is missing'],
    [['a', 'b', 'c'], 'unexpected argument "c"'],
    [['a', 'b', '--quiet', '--quiet'], '--quiet is given twice'],
    [['a', 'b', '--tag'], '--tag needs a value: --tag GLOB'],
  ])('refuses %j: %s', (args, message) => {
    expect(() => parse(...args)).toThrow(new CliError(`${message} (--help lists the options)`, EXIT_USAGE))
  })
})

describe('optionsHelp', () => {
  it('gives each option its value, its help and its default', () => {
    expect(optionsHelp(TABLE)).toBe(
      [
        '  --listen HOST:PORT  where (default: 127.0.0.1:5000)',
        '  --public-url URL    address',
        '  --read-only         no changes',
      ].join('\n'),
    )
  })
})
