import type { OptionTable } from './options.ts'

/** Columns of the help, so that it fits a terminal of 100. */
const INDENT = '  '
const WIDTH = 100

export function generalHelp(commands: readonly (readonly [name: string, summary: string])[]): string {
  return [
    'Usage: wharfage <command> [options]',
    '',
    'An OCI/Docker image registry.',
    '',
    'Commands:',
    ...rows(commands),
    '',
    'Options:',
    ...rows([
      ['--help', 'this text; after a command, its options'],
      ['--version', 'the version'],
    ]),
  ].join('\n')
}

/** The options of one command, one per row, with their defaults. */
export function optionsHelp(table: OptionTable): string {
  return rows(
    Object.entries(table).map(([name, option]): readonly [string, string] => {
      if (!('value' in option)) return [`--${name}`, option.help]
      const fallback = option.default === undefined ? '' : ` (default: ${option.default})`
      return [`--${name} ${option.value}`, option.help + fallback]
    }),
  ).join('\n')
}

export function rows(entries: readonly (readonly [left: string, right: string])[]): string[] {
  const left = Math.max(...entries.map(([name]) => name.length)) + INDENT.length
  const hanging = ' '.repeat(INDENT.length + left)
  return entries.map(
    ([name, text]) => INDENT + name.padEnd(left) + wrap(text, WIDTH - hanging.length).join(`\n${hanging}`),
  )
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
