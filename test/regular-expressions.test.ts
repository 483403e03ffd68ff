import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url))

const MAX_MS = 5
/** Characters of hostile input. */
const LENGTH = 16 * 1024

/**
 * Fewer characters, and what is too long for these: exponential and cubic time is caught while it still ends, and what is linear need
 * not be tried with all.
 */
const STAGES = [
  { length: 24, maxMs: MAX_MS },
  { length: 40, maxMs: MAX_MS },
  { length: 512, maxMs: MAX_MS },
  { length: LENGTH / 4, maxMs: MAX_MS / 20 },
] as const

interface Found {
  /** File and line. */
  readonly at: string
  readonly text: string
}

const { literals, built } = findExpressions()

describe('regular expressions of src', () => {
  it('are found', () => {
    expect(literals.length).toBeGreaterThan(50)
  })

  it('are written out, and never built from what comes in', () => {
    expect(built).toEqual([])
  })

  // A match in linear time takes some tenths of a millisecond at most, one in quadratic time some hundred. Of several runs the best one
  // counts, so that only the expression can be the reason.
  it.each(literals)('take no more than 5 ms for 16 KiB of anything: $text in $at', ({ text }) => {
    expect(slowestOf(expressionOf(text))).toBeUndefined()
  })

  it('would be found out', () => {
    for (const slow of [/\/+$/, /^(a+)+$/, /\s+,x/g]) {
      expect(slowestOf(slow), String(slow)).toBeDefined()
    }
  })
})

/** What makes it slow, if anything does. */
function slowestOf(expression: RegExp): string | undefined {
  const { prefixes, pumps } = materialOf(expression)
  for (const { length, maxMs } of STAGES) {
    for (const prefix of prefixes) {
      for (const pump of pumps) {
        for (const ending of ['\0', '!\n', '/']) {
          const input = (count: number) => prefix + pump.repeat(Math.ceil(count / pump.length)) + ending
          const isSuspect = bestOf(expression, input(length), maxMs) > maxMs
          if (!isSuspect) continue
          const ms = maxMs < MAX_MS ? bestOf(expression, input(LENGTH), MAX_MS) : Number.POSITIVE_INFINITY
          if (ms > MAX_MS) return `${ms.toFixed(1)} ms for ${JSON.stringify([prefix, pump, ending])}`
        }
      }
    }
  }
  return undefined
}

/**
 * What to begin and to go on with: pieces of what the expression asks for, in its order, so that the matcher gets where it has a choice,
 * and what is often special.
 */
function materialOf(expression: RegExp): { readonly prefixes: Set<string>; readonly pumps: Set<string> } {
  const { texts, starts } = piecesOf(expression)
  const prefixes = new Set(['', 'x'])
  for (const start of starts) {
    for (let end = start + 1; end <= Math.min(texts.length, start + 10); end++) {
      prefixes.add(
        texts
          .slice(start, end)
          .map(([first]) => first)
          .join(''),
      )
    }
  }
  const pumps = new Set([...' \t\n/:a0\0'])
  for (const [i, matching] of texts.entries()) {
    for (const text of matching.slice(0, 3)) pumps.add(text)
    for (const length of [2, 3, texts.length])
      pumps.add(
        texts
          .slice(i, i + length)
          .map(([first]) => first)
          .join(''),
      )
  }
  return { prefixes, pumps }
}

/** Of each character or class of an expression, in order, what it matches; and which of them come first in an alternative. */
function piecesOf({ source }: RegExp): {
  readonly texts: readonly (readonly string[])[]
  readonly starts: Set<number>
} {
  const texts: (readonly string[])[] = []
  const starts = new Set([0])
  const token = /\[(?:\\.|[^\]\\])*\]|\\(?:x[\da-f]{2}|u[\da-f]{4}|.)|\(\?(?:<?[=!]|:|<\w+>)|\{\d*,?\d*\}|./gis
  for (const [text] of source.matchAll(token)) {
    if (text === '|' || text.startsWith('(')) starts.add(texts.length)
    if ('^$*+?)|'.includes(text) || /^(?:\(|\{.|\\b$)/i.test(text)) continue
    const matching = CHARACTERS.filter((c) => new RegExp(`^${text}$`, 's').test(c))
    if (matching.length > 0) texts.push(matching)
  }
  return { texts, starts }
}

/** Those first that are as likely to be matched by two parts of an expression as any. */
const CHARACTERS = [...' /a0\t:.-A\n', ...Array.from({ length: 0x80 }, (_, i) => String.fromCharCode(i)), 'é']

/** Of up to six runs, in milliseconds: the first that is fast enough ends them, and the third that is far from it. */
function bestOf(expression: RegExp, input: string, enoughMs: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 6 && least > enoughMs && !(i >= 3 && least > 10 * enoughMs); i++) {
    const started = performance.now()
    // With `g`, replacing is what they are for: it goes on behind each match.
    if (expression.global) input.replace(expression, '')
    else expression.exec(input)
    least = Math.min(least, performance.now() - started)
  }
  return least
}

function expressionOf(literal: string): RegExp {
  const end = literal.lastIndexOf('/')
  return new RegExp(literal.slice(1, end), literal.slice(end + 1))
}

function findExpressions(): { readonly literals: readonly Found[]; readonly built: readonly Found[] } {
  const literals = new Map<string, Found>()
  const built: Found[] = []
  for (const file of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!/\.c?ts$/.test(file)) continue
    const source = ts.createSourceFile(file, readFileSync(SOURCE + file, 'utf8'), ts.ScriptTarget.Latest)
    const visit = (node: ts.Node): void => {
      const text = node.getText(source)
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
      const at = `${file}:${line}`
      if (ts.isRegularExpressionLiteral(node) && !literals.has(text)) literals.set(text, { at, text })
      if (ts.isIdentifier(node) && node.text === 'RegExp' && /\bRegExp\s*\($/.test(source.text.slice(0, node.end + 1)))
        built.push({ at, text })
      node.forEachChild(visit)
    }
    visit(source)
  }
  return { literals: [...literals.values()], built }
}
