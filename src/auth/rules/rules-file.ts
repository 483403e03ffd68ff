import { checkChoice, checkOptions, kindOf } from '../../arguments.ts'
import type { Logger } from '../../logger.ts'
import type { Access } from '../access.ts'
import type { Identity } from '../identity.ts'
import { watchedFile } from '../watched-file.ts'
import type { Rule } from './rule.ts'
import { parseRule } from './rule-text.ts'
import { compileRules, type Rules } from './rules.ts'

/** Bytes: some fifty thousand rules. */
const MAX_BYTES = 4 * 1024 * 1024

export interface RulesFileOptions {
  readonly file: string | URL
  /**
   * Whether a rule may be for `anonymous`. Those who have not logged in can be told from those who are about to by `tokenIssuer`, not
   * by Basic credentials, and a controller is chosen once. Default: as the file has it when it is first read.
   */
  readonly anonymous?: 'refuse' | 'allow'
  /** The file is looked at when somebody asks for something, and no more often than this. Default: 1000. */
  readonly intervalMs?: number
  /** Milliseconds of a clock that only has to go forward. Default: `performance.now`. */
  readonly now?: () => number
  /** Told once of each change, and of each that is refused. Default: the console. */
  readonly logger?: Logger
}

/** {@link Rules} that change with their file. */
export interface FileRules {
  (identity: Identity | undefined, access: Access): Promise<boolean>
  /** Whether there is, or may come to be, something that may be done without logging in. */
  readonly grantsAnonymous: boolean
  /** Those of `names` that may be pulled. */
  visible(identity: Identity | undefined, names: readonly string[]): Promise<readonly string[]>
}

/**
 * Rules from a file, one a line as {@link parseRule} reads them. A line that begins with `#` is a comment. A change counts `intervalMs`
 * later at the latest. One that cannot be read, has a mistake, or has no rule at all leaves the last rules in use, and is logged.
 * Replace the file by renaming another, so that half of it is never read.
 *
 * @throws `Error` naming the file and the line, where it is not usable to begin with
 */
export async function rulesFile(options: RulesFileOptions): Promise<FileRules> {
  checkOptions('rulesFile()', options, { file: true, anonymous: true, intervalMs: true, now: true, logger: true })
  const { file, anonymous, ...watching } = options ?? {}
  if (!(typeof file === 'string' && file !== '') && !(file instanceof URL)) {
    throw new TypeError(`the option "file" must be a path or a URL, not ${kindOf(file)}`)
  }
  checkChoice('anonymous', anonymous, ['refuse', 'allow'])
  let allowed = anonymous ?? 'undecided'
  const parse = (text: string): Rules => {
    const parsed = parseLines(text)
    const line = parsed.find(({ rule }) => rule.who?.anonymous)?.line
    if (allowed === 'refuse' && line !== undefined) throw new Error(`line ${line}: ${anonymousRefused(anonymous)}`)
    return compileRules(parsed.map(({ rule }) => rule))
  }
  const watched = watchedFile({ ...watching, file, parse, maxBytes: MAX_BYTES })
  const first = await watched.current()
  if (allowed === 'undecided') allowed = first.grantsAnonymous ? 'allow' : 'refuse'
  const permissions = async (identity: Identity | undefined, access: Access): Promise<boolean> =>
    (await watched.current())(identity, access)
  return Object.assign(permissions, {
    grantsAnonymous: allowed === 'allow',
    visible: async (identity: Identity | undefined, names: readonly string[]): Promise<readonly string[]> =>
      (await watched.current()).visible(identity, names),
  })
}

interface Line {
  /** From 1. */
  readonly line: number
  readonly rule: Rule
}

/** @throws `Error` naming the line */
function parseLines(text: string): readonly Line[] {
  const parsed: Line[] = []
  for (const [i, content] of text.split('\n').entries()) {
    const trimmed = content.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    try {
      parsed.push({ line: i + 1, rule: parseRule(trimmed) })
    } catch (cause) {
      throw new Error(`line ${i + 1}: ${(cause as Error).message}`, { cause })
    }
  }
  if (parsed.length === 0) throw new Error('there is no rule in it, which would deny everything')
  return parsed
}

function anonymousRefused(anonymous: RulesFileOptions['anonymous']): string {
  const why = anonymous === undefined ? 'which no rule was when the file was first read' : 'which is refused here'
  return `a rule for anonymous, ${why}: it takes tokens to serve those who have not logged in beside those who have: wharfage serve --token-issuer, or tokenIssuer() and { anonymous: 'allow' }`
}
