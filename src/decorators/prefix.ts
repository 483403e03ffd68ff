import { kindOf } from '../arguments.ts'
import type { Backend, Decorator, RepositoriesOptions, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { MAX_NAME_LENGTH, parseRepositoryName } from '../spec/name.ts'
import { expose } from './expose.ts'
import { withErrors } from './with-errors.ts'

/**
 * A registry inside another: `prefix('team/')` shows the repository `team/app` as `app`, and nothing that lies outside `team/`.
 * Errors name repositories as the caller does, too.
 *
 * @throws {@link RegistryError} `NAME_INVALID` when the prefix, less its slash, is not a repository name
 */
export function prefix(path: string): Decorator {
  if (typeof path !== 'string') throw new TypeError(`prefix() needs a path, prefix('team/') say, not ${kindOf(path)}`)
  const parent = parseRepositoryName(path.endsWith('/') ? path.slice(0, -1) : path)
  const within = `${parent}/`
  return (inner) => {
    const backend: Backend = {
      repository: (name) => renamed(open(inner, within, name), name, within),
      repositories: (options) => below(inner, parent, options),
    }
    return backend
  }
}

function open(inner: Backend, within: string, name: string): Repository {
  parseRepositoryName(name)
  if (within.length + name.length > MAX_NAME_LENGTH) {
    throw new RegistryError('NAME_INVALID', {
      message: `not a repository name: at most ${MAX_NAME_LENGTH - within.length} characters here`,
      detail: { name },
    })
  }
  try {
    return inner.repository(within + name)
  } catch (error) {
    throw inTermsOf([name], within)(error)
  }
}

function renamed(repository: Repository, name: string, within: string): Repository {
  const translate = inTermsOf([name], within)
  const { delete: remove } = withErrors(repository, translate)
  const blobs = withErrors(repository.blobs, translate)
  return {
    name,
    delete: remove,
    blobs: expose(blobs, ['stat', 'open', 'startUpload', 'resumeUpload', 'delete', 'locate', 'put', 'list'], {
      mount: (digest, from, context) => {
        if (typeof from !== 'string') return blobs.mount(digest, prepend(within, from), context)
        const { mount } = withErrors(repository.blobs, inTermsOf([name, from], within))
        return mount(digest, within + from, context)
      },
    }),
    manifests: expose(withErrors(repository.manifests, translate), [
      'stat',
      'get',
      'put',
      'delete',
      'list',
      'referrers',
    ]),
    tags: expose(withErrors(repository.tags, translate), ['resolve', 'set', 'delete', 'list']),
  }
}

/** Names below `parent/`, without it, in the same order. They lie together: `parent` sorts before all, what is after them ends it. */
async function* below(
  inner: Backend,
  parent: string,
  { after, ...options }: RepositoriesOptions = {},
): AsyncGenerator<string> {
  const within = `${parent}/`
  const start = after === undefined ? parent : within + after
  for await (const name of inner.repositories({ ...options, after: start })) {
    if (name.startsWith(within)) yield name.slice(within.length)
    else if (name > within) return
  }
}

async function* prepend(within: string, names: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const name of names) yield within + name
}

/** An error must not tell the names that this decorator hides, nor name what its reader did not. */
function inTermsOf(names: readonly string[], within: string): (error: unknown) => unknown {
  const hidden = new Map(names.map((name) => [within + name, name]))
  return (error) => {
    if (!RegistryError.is(error)) return error
    const message = renameIn(error.message, hidden)
    const detail = renameAll(error.detail, hidden)
    if (message === error.message && detail === error.detail) return error
    const { code, status, headers } = error
    return new RegistryError(code, { status, headers, message, detail, cause: error })
  }
}

/** In a sentence: a name that is no part of a longer one, or of a URL. */
function renameIn(text: string, hidden: ReadonlyMap<string, string>): string {
  let renamed = text
  for (const [full, name] of hidden) {
    let at = renamed.indexOf(full)
    while (at !== -1) {
      const end = at + full.length
      const isWhole = !isNameLike(renamed.charAt(at - 1)) && !isNameLike(renamed.charAt(end), renamed.charAt(end + 1))
      if (isWhole) renamed = renamed.slice(0, at) + name + renamed.slice(end)
      at = renamed.indexOf(full, isWhole ? at + name.length : end)
    }
  }
  return renamed
}

/** Whether a character goes on with a name; a full stop only where more of the name follows. */
function isNameLike(character: string, next: string = 'a'): boolean {
  return /[a-z0-9_/-]/i.test(character) || (character === '.' && /[a-z0-9]/i.test(next))
}

/** In a detail, at any depth: what is a name as a whole. The same value where there is none. */
function renameAll(value: unknown, hidden: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return hidden.get(value) ?? value
  if (Array.isArray(value)) {
    const items = value.map((item) => renameAll(item, hidden))
    return items.some((item, i) => item !== value[i]) ? items : value
  }
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  const entries = Object.entries(value)
  const renamed = entries.map(([key, item]) => [key, renameAll(item, hidden)] as const)
  return renamed.some(([, item], i) => item !== entries[i]?.[1]) ? Object.fromEntries(renamed) : value
}
