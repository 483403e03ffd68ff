import { nearest } from '../../nearest.ts'
import { checkRule } from './check-rule.ts'
import { RULE_ACTIONS, type Rule, type RuleAction, type RuleWho } from './rule.ts'

const CATALOG = 'registry:catalog:'

/**
 * A rule as a line of text, `PATTERN: [WHO] ACTIONS`. WHO is any of `user(NAME)`, `@GROUP`, `group(NAME)`, or `anonymous`; without one,
 * whoever is logged in. A name with spaces, commas, quotes or parentheses is written in double quotes, as in JSON. In place of a
 * pattern, `registry:catalog` is the list of repositories, with the one action `*`.
 *
 * @example
 * ```ts
 * parseRule('project/**: @developers user(alice) pull, push')
 * ```
 *
 * @throws `TypeError`
 */
export function parseRule(text: string): Rule {
  const line = text.trim()
  if (line.startsWith(CATALOG)) {
    const { who, actions } = readWords(line.slice(CATALOG.length))
    if (actions.some((action) => action !== '*')) {
      throw new TypeError(`the catalog can only be listed: ${CATALOG} @admins *`)
    }
    needActions(actions)
    return checkRule({ catalog: true, ...who })
  }
  const colon = line.indexOf(':')
  if (colon < 0) throw new TypeError(`no ":" after a pattern: 'team/*: pull' is a rule, ${JSON.stringify(line)} is not`)
  const repository = line.slice(0, colon).trim()
  const { who, actions } = readWords(line.slice(colon + 1))
  needActions(actions)
  return checkRule({ repository, ...who, actions })
}

/**
 * Inverse of {@link parseRule}.
 *
 * @throws `TypeError` for what is no rule
 */
export function formatRule(rule: Rule): string {
  const checked = checkRule(rule)
  const [target, actions] = 'catalog' in checked ? [CATALOG, ['*']] : [`${checked.repository}:`, checked.actions]
  const { users = [], groups = [], anonymous = false } = checked.who ?? {}
  const who = [
    ...users.map((name) => `user(${isPlain(name) ? name : JSON.stringify(name)})`),
    ...groups.map((name) => (isPlain(name) ? `@${name}` : `group(${JSON.stringify(name)})`)),
    ...(anonymous ? ['anonymous'] : []),
  ]
  return [target, ...who, actions.join(', ')].join(' ')
}

/** Whether a name needs no quotes. */
function isPlain(name: string): boolean {
  return /^[^\s"(),\p{C}]+$/u.test(name)
}

interface Words {
  readonly who: { readonly who?: RuleWho }
  readonly actions: readonly RuleAction[]
}

/** Each alternative begins with another character, or ends before one: no text takes longer than its length. */
const WORD =
  /(?<kind>user|group)\((?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<name>[^\s"(),]+))\)|@(?<group>[^\s"(),]+)|(?<word>[^\s"(),@]+)/y

function readWords(text: string): Words {
  const users: string[] = []
  const groups: string[] = []
  const actions: RuleAction[] = []
  let anonymous = false
  for (let at = skipSeparators(text, 0); at < text.length; ) {
    WORD.lastIndex = at
    const found = WORD.exec(text)
    const end = at + (found?.[0].length ?? 0)
    const next = skipSeparators(text, end)
    const { kind, quoted, name, group, word } = found?.groups ?? {}
    if (found === null || (next === end && end < text.length)) throw unreadable(text.slice(at))
    if (word !== undefined && word !== 'anonymous') actions.push(actionOf(word))
    else if (actions.length > 0) {
      throw new TypeError(
        `${found[0]} comes after an action: first who, then what they may do; others are a rule of their own`,
      )
    } else if (word !== undefined) anonymous = true
    else (kind === 'user' ? users : groups).push(group ?? name ?? unquote(quoted ?? ''))
    at = next
  }
  const who: RuleWho = {
    ...(users.length > 0 && { users }),
    ...(groups.length > 0 && { groups }),
    ...(anonymous && { anonymous }),
  }
  return { who: Object.keys(who).length > 0 ? { who } : {}, actions }
}

/** Spaces and commas, any number. */
function skipSeparators(text: string, at: number): number {
  let end = at
  while (end < text.length && /[\s,]/.test(text.charAt(end))) end++
  return end
}

function actionOf(word: string): RuleAction {
  const action = RULE_ACTIONS.find((known) => known === word)
  if (action !== undefined) return action
  if (word.startsWith('#')) throw new TypeError('a comment has a line of its own')
  // Never the star: whoever meant less would get it all.
  const guess = nearest(word, ['pull', 'push', 'delete', 'anonymous'])
  const hint =
    guess === undefined
      ? `actions are pull, push, delete and *; a user is written user(${word}), a group @${word}`
      : `did you mean ${guess}?`
  throw new TypeError(`${JSON.stringify(word)} is no action: ${hint}`)
}

function needActions(actions: readonly RuleAction[]): void {
  if (actions.length === 0) throw new TypeError('no action: at least one of pull, push, delete and * has to be there')
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(`"${quoted}"`) as string // of a text in quotes
  } catch (cause) {
    throw new TypeError(`"${quoted}" is no name in quotes, as in JSON`, { cause })
  }
}

function unreadable(rest: string): TypeError {
  return new TypeError(
    `${JSON.stringify(rest)} is neither an action nor who may do it: user(alice), user("a name"), @group, group("a group"), anonymous`,
  )
}
