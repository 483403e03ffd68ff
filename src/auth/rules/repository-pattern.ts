import { compileGlob, parseGlob } from '../../glob.ts'
import { MAX_NAME_LENGTH } from '../../spec/name.ts'
import type { Holder } from './by-holder.ts'

/** A pattern of repository names, ready to be asked. */
export interface RepositoryPattern {
  /** What all that match are or are below, as whole components: `team` of `team/{user}/x*`. `''` for nothing in particular. */
  readonly below: string
  /** @param components - of `name`, which is a repository name */
  matches(name: string, components: readonly string[], holder: Holder): boolean
}

/** @param pattern - checked by {@link checkRepositoryPattern} */
export function compileRepositoryPattern(pattern: string): RepositoryPattern {
  const parts = pattern.split('/')
  const open = parts.findIndex((part) => part.includes('*') || part.includes('{'))
  const below = parts.slice(0, open < 0 ? parts.length : open).join('/')
  const glob = compileGlob(parts.map((part) => (isPlaceholder(part) ? '*' : part)).join('/'))
  // No ** comes before them, so that they are at the same place in whatever matches.
  const user = parts.indexOf('{user}')
  const group = parts.indexOf('{group}')
  return {
    below,
    matches: (name, components, { subject, groups }) =>
      (user < 0 || components[user] === subject) && (group < 0 || groups.has(components[group] ?? '')) && glob(name),
  }
}

/** @throws `TypeError` saying what is wrong with a pattern that no repository can match, or whose placeholders are not whole components */
export function checkRepositoryPattern(pattern: string): void {
  if (pattern === '') throw new TypeError('there is no pattern: ** is every repository')
  if (pattern.length > MAX_NAME_LENGTH) {
    throw new TypeError(`a pattern of ${pattern.length} characters: repository names have at most ${MAX_NAME_LENGTH}`)
  }
  const parts = pattern.split('/')
  checkPlaceholders(pattern, parts)
  const problem = findProblem(parts.map((part) => (isPlaceholder(part) ? 'u' : part)).join('/'))
  if (problem !== undefined) {
    throw new TypeError(`${JSON.stringify(pattern)} is no repository: ${hintFor(pattern) ?? problem}`)
  }
}

function isPlaceholder(part: string): boolean {
  return part === '{user}' || part === '{group}'
}

function checkPlaceholders(pattern: string, parts: readonly string[]): void {
  const quoted = JSON.stringify(pattern)
  for (const [i, part] of parts.entries()) {
    if (!isPlaceholder(part)) {
      if (!/[{}]/.test(part)) continue
      throw new TypeError(
        `${quoted}: {user} and {group} stand for whole components, as in team/{user}/**; there are no others`,
      )
    }
    if (parts.indexOf(part) < i) throw new TypeError(`${quoted} has ${part} twice`)
    if (parts.slice(0, i).some((before) => before.includes('**'))) {
      throw new TypeError(`${quoted} has ${part} after **: it has to be at one place, as in */${part}/**`)
    }
  }
}

/** Where a repository name is when it has been read so far. */
type Place = 'start' | 'word' | '.' | '_' | '__' | '-'

/** The grammar of `isRepositoryName`, a character at a time; `undefined` where no name goes on like that. */
function step(place: Place, c: string): Place | undefined {
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return 'word'
  if (c === '-') return place === 'word' || place === '-' ? '-' : undefined
  if (c === '_' && place === '_') return '__'
  if (place !== 'word') return undefined
  if (c === '/') return 'start'
  return c === '.' || c === '_' ? c : undefined
}

/** Why no repository name matches; `undefined` where there are some. Follows all names at once through the pattern. */
function findProblem(glob: string): string | undefined {
  let places = new Set<Place>(['start'])
  let read = ''
  for (const c of parseGlob(glob)) {
    const next = new Set<Place>()
    for (const place of places) {
      // Whatever has been read, a star may stand for a letter and go on from there.
      if (c === '*' || c === '**')
        for (const reached of [place, 'word', '.', '_', '__', '-'] as const) next.add(reached)
      if (c === '**') next.add('start')
      const reached = step(place, c)
      if (reached !== undefined) next.add(reached)
    }
    if (next.size === 0) {
      const where = read === '' ? 'begins with' : `has, after ${JSON.stringify(read)},`
      return `no name ${where} ${JSON.stringify(c)}, they are lower-case letters and digits, separated by . _ __ - or /`
    }
    places = next
    read += c
  }
  return places.has('word') ? undefined : `no name ends with ${JSON.stringify(glob.slice(-1))}`
}

/** The mistakes that people make. */
function hintFor(pattern: string): string | undefined {
  if (/[A-Z]/.test(pattern)) return `names are in lower case, ${JSON.stringify(pattern.toLowerCase())}`
  if (pattern.startsWith('/')) return 'no name begins with /'
  if (pattern.includes('//')) return 'no name has an empty component, //'
  if (!pattern.endsWith('/')) return undefined
  const name = pattern.slice(0, -1)
  return `no name ends with /; ${JSON.stringify(name)} is what is called so, ${JSON.stringify(`${name}/**`)} what is below`
}
