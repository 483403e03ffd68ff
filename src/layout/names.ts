import { RegistryError } from '../errors.ts'
import type { Digest } from '../spec/digest.ts'
import { isRepositoryName, isTag, parseRepositoryName } from '../spec/name.ts'
import { DOCKER_HUB, parseReference } from '../spec/reference.ts'

/** A tag in the layout, by the image specification; some tools put a whole reference here. */
export const REF_NAME = 'org.opencontainers.image.ref.name'
/** A whole reference: containerd's, and what `docker save` and BuildKit write as well. */
export const IMAGE_NAME = 'io.containerd.image.name'

const OFFICIAL = 'library/'

/** Where an entry of `index.json` belongs. */
export interface EntryName {
  readonly repository: string
  /** Absent where the manifest has none. */
  readonly tag?: string
}

export interface NamesOptions {
  /** What entries without a repository of their own belong to. */
  readonly repository: string
  /** Host of the names that have none. */
  readonly registry?: string | undefined
  /** Whether the default repository's entries carry its full name as well. */
  readonly nameDefault?: boolean
}

/**
 * Repository names, and the annotations that stand for them. A layout has no repositories; it has references, which always have a
 * host. Names of one registry, Docker Hub's unless told otherwise, are shortened as `docker images` shows them: `alpine` is
 * `docker.io/library/alpine`, and either of the two finds it. All others keep their host: `ghcr.io/team/app`.
 */
export class RepositoryNames {
  /** What entries without a repository of their own belong to. */
  readonly default: string
  readonly #registry: string
  readonly #nameDefault: boolean

  /** @throws {@link RegistryError} `NAME_INVALID` */
  constructor({ repository, registry = DOCKER_HUB, nameDefault = false }: NamesOptions) {
    this.#registry = registry
    this.#nameDefault = nameDefault
    this.default = this.canonical(repository)
  }

  /** The one form of a name by which a repository is known. @throws {@link RegistryError} `NAME_INVALID` */
  canonical(name: string): string {
    const slash = name.indexOf('/')
    const host = name.slice(0, Math.max(slash, 0))
    // A port is no part of a repository's name elsewhere; here it is part of what the image is called.
    if (!/^[a-z0-9.-]+:[0-9]{1,5}$/.test(host)) parseRepositoryName(name)
    else if (!isRepositoryName(name.slice(slash + 1))) throw new RegistryError('NAME_INVALID', { detail: { name } })
    return isHost(host) ? this.#shorten(host, name.slice(slash + 1)) : this.#shorten(this.#registry, name)
  }

  /** With the host, as other programs know it: `docker.io/library/alpine`. */
  qualified(repository: string): string {
    if (isHost(repository.slice(0, Math.max(repository.indexOf('/'), 0)))) return repository
    const isOfficial = this.#registry === DOCKER_HUB && !repository.includes('/')
    return `${this.#registry}/${isOfficial ? OFFICIAL : ''}${repository}`
  }

  /** What `docker images` would show: without Docker Hub's own parts. */
  familiar(repository: string): string {
    const name = this.qualified(repository)
    if (!name.startsWith(`${DOCKER_HUB}/`)) return name
    return shortest(name.slice(DOCKER_HUB.length + 1))
  }

  /** Where an entry with these annotations belongs. What cannot be read as a name is none. */
  read(annotations: Readonly<Record<string, string>> = {}): EntryName {
    const refName = annotations[REF_NAME]
    const named = this.parse(annotations[IMAGE_NAME])
    if (named !== undefined) return named
    if (refName !== undefined && isTag(refName)) return { repository: this.default, tag: refName }
    return this.parse(refName) ?? { repository: this.default }
  }

  /** Reads a reference as Docker does; `undefined` for what is none. */
  parse(text: string | undefined): EntryName | undefined {
    if (text === undefined || text === '') return undefined
    try {
      const { registry, repository, tag } = parseReference(text)
      return { repository: this.#shorten(registry, repository), ...(tag !== undefined && { tag }) }
    } catch (error) {
      if (RegistryError.is(error)) return undefined
      throw error
    }
  }

  /** The annotations by which {@link read} finds the same name again. */
  write({ repository, tag }: EntryName, digest: Digest): Readonly<Record<string, string>> {
    const isBare = repository === this.default && !this.#nameDefault
    const name = this.qualified(repository)
    return {
      ...(!isBare && { [IMAGE_NAME]: tag === undefined ? `${name}@${digest}` : `${name}:${tag}` }),
      ...(tag !== undefined && { [REF_NAME]: tag }),
    }
  }

  #shorten(registry: string, repository: string): string {
    if (registry !== this.#registry) return `${registry}/${repository}`
    return registry === DOCKER_HUB ? shortest(repository) : repository
  }
}

/** As it is called on a host that is not part of its name: `team/app` for `ghcr.io/team/app`. */
export function withoutHost(repository: string): string {
  const slash = repository.indexOf('/')
  return isHost(repository.slice(0, Math.max(slash, 0))) ? repository.slice(slash + 1) : repository
}

/** Docker Hub's official images lie in `library/`, which nobody writes. */
export function shortest(repository: string): string {
  const rest = repository.slice(OFFICIAL.length)
  return repository.startsWith(OFFICIAL) && !rest.includes('/') ? rest : repository
}

function isHost(text: string): boolean {
  return /[.:]/.test(text) || text === 'localhost'
}
