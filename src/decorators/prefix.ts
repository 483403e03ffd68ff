import type { Backend, Decorator, RepositoriesOptions, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import { parseRepositoryName } from '../spec/name.ts'
import { expose } from './expose.ts'

/**
 * A registry inside another: `prefix('team/')` shows the repository `team/app` as `app`, and nothing that lies outside `team/`.
 *
 * @throws {@link RegistryError} `NAME_INVALID` when the prefix, less its slash, is not a repository name
 */
export function prefix(path: string): Decorator {
  const parent = parseRepositoryName(path.endsWith('/') ? path.slice(0, -1) : path)
  const within = `${parent}/`
  return (inner) => {
    const backend: Backend = {
      repository: (name) => renamed(inner.repository(within + parseRepositoryName(name)), name, within),
      repositories: (options) => below(inner, parent, options),
    }
    return backend
  }
}

function renamed(repository: Repository, name: string, within: string): Repository {
  const { blobs, manifests, tags } = repository
  return {
    name,
    delete: (context) => inTermsOf(name, repository.delete(context)),
    blobs: expose(blobs, ['stat', 'open', 'startUpload', 'resumeUpload', 'delete', 'locate', 'put', 'list'], {
      mount: (digest, from, context) =>
        blobs.mount(digest, typeof from === 'string' ? within + from : prepend(within, from), context),
    }),
    manifests: expose(manifests, ['stat', 'get', 'put', 'delete', 'list', 'referrers']),
    tags: expose(tags, ['resolve', 'set', 'delete'], {
      list: (options) => listInTermsOf(name, tags.list(options)),
    }),
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

async function inTermsOf<T>(name: string, result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (error) {
    throw translate(error, name)
  }
}

async function* listInTermsOf<T>(name: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    throw translate(error, name)
  }
}

/** An error must not tell the name that this decorator hides. */
function translate(error: unknown, name: string): unknown {
  if (!RegistryError.is(error, 'NAME_UNKNOWN')) return error
  return new RegistryError('NAME_UNKNOWN', { detail: { name }, cause: error })
}
