/** One way to log in that a server offers, in `WWW-Authenticate`. */
export interface Challenge {
  /** Lower-case: `bearer`, `basic`. */
  readonly scheme: string
  /** By lower-case names; of a name that comes twice, the first. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Longer headers are not read: Node lets through 16 KiB of all of them together, and no registry needs a tenth of this. */
const MAX_LENGTH = 8_192

/**
 * Reads `WWW-Authenticate`: several challenges in one header, or in several. Never throws: a header that stops making sense is worth
 * what came before that. Values without quotes may be URLs, which some registries send.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
 */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const headers = header === undefined ? [] : typeof header === 'string' ? [header] : header
  return headers.filter((text) => text.length <= MAX_LENGTH).flatMap(readChallenges)
}

/**
 * The inverse of {@link parseChallenges}: every value is quoted.
 *
 * @internal
 */
export function formatChallenges(challenges: readonly Challenge[]): string {
  return challenges.map(({ scheme, parameters }) => [scheme, formatParameters(parameters)].join(' ').trim()).join(', ')
}

function formatParameters(parameters: ReadonlyMap<string, string>): string {
  return Array.from(parameters, ([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`).join(', ')
}

function readChallenges(text: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  let at = 0
  for (;;) {
    at = skip(text, at, isSeparator)
    const start = at
    at = skip(text, at, isTokenCharacter)
    const word = text.slice(start, at).toLowerCase()
    if (word === '') return challenges
    const afterSpace = skip(text, at, isSpace)
    const parameters = challenges.at(-1)?.parameters
    if (text[afterSpace] === '=' && parameters !== undefined) {
      const value = readValue(text, skip(text, afterSpace + 1, isSpace))
      if (value === undefined) return challenges
      if (!parameters.has(word)) parameters.set(word, value.text)
      at = value.end
    } else {
      challenges.push({ scheme: word, parameters: new Map() })
      at = skipToken68(text, at)
    }
    // What stands right after a value, without a comma or a space, belongs to nothing.
    if (at < text.length && !isSeparator(text.charCodeAt(at))) return challenges
  }
}

/** A value in quotes, or everything up to a comma or a space. `undefined` for quotes that nobody closes. */
function readValue(text: string, start: number): { readonly text: string; readonly end: number } | undefined {
  if (text[start] !== '"') {
    const end = skip(text, start, (code) => !isSeparator(code))
    return { text: text.slice(start, end), end }
  }
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return { text: value, end: at + 1 }
    if (text[at] === '\\') at++
    value += text[at] ?? ''
  }
  return undefined
}

/** What `Negotiate` and its like have in place of parameters: base64 that ends the challenge. No registry's scheme uses it. */
function skipToken68(text: string, afterScheme: number): number {
  const start = skip(text, afterScheme, isSpace)
  const end = skip(text, skip(text, start, isToken68Character), (code) => code === EQUALS)
  const next = text[skip(text, end, isSpace)]
  return end > start && (next === undefined || next === ',') ? end : afterScheme
}

function skip(text: string, start: number, belongs: (code: number) => boolean): number {
  let at = start
  while (at < text.length && belongs(text.charCodeAt(at))) at++
  return at
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function isSeparator(code: number): boolean {
  return isSpace(code) || code === COMMA
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
}

function isTokenCharacter(code: number): boolean {
  return isAlphanumeric(code) || TOKEN_SIGNS.has(code)
}

function isToken68Character(code: number): boolean {
  return isAlphanumeric(code) || TOKEN68_SIGNS.has(code)
}

const COMMA = 0x2c
const EQUALS = 0x3d
const TOKEN_SIGNS = codesOf("!#$%&'*+-.^_`|~")
const TOKEN68_SIGNS = codesOf('-._~+/')

function codesOf(signs: string): ReadonlySet<number> {
  return new Set(Array.from(signs, (sign) => sign.charCodeAt(0)))
}
