import { NO_MANIFEST, RegistryError, unless } from '../../errors.ts'
import { createArchive } from '../../layout/create-archive.ts'
import type { LayoutBackend } from '../../layout/layout-backend.ts'
import { layoutDirectory } from '../../layout/layout-directory.ts'
import { shortest } from '../../layout/names.ts'
import { openArchive } from '../../layout/open-archive.ts'
import { isRepositoryName, isTag } from '../../spec/name.ts'
import { DOCKER_HUB, parseReference } from '../../spec/reference.ts'
import { CliError, EXIT_USAGE } from '../cli-error.ts'
import type { LocationKind, OpenLocation, OpenOptions } from './location.ts'

/** What a whole name means that has no tag. */
const LATEST = 'latest'

/** `oci:DIRECTORY[:TAG]` */
export const layoutLocation: LocationKind = {
  form: 'oci:DIR[:TAG|:NAME|@DIGEST]',
  help: 'an OCI image layout in a directory; NAME is a whole reference, or one without its tag: a repository',
  open: async (rest, { role }) => {
    const { path, name, digest } = split('oci', rest)
    const backend = layoutDirectory(path, { create: role === 'target' })
    return locate(`oci:${rest}`, backend, { name, digest, bareTags: true, role })
  },
}

/** `oci-archive:FILE[:TAG]` */
export const layoutArchive: LocationKind = {
  form: 'oci-archive:FILE[:TAG|:NAME|@DIGEST]',
  help: 'an OCI image layout as a tar; - for FILE is the standard input or output',
  open: (rest, options) => openFile('oci-archive', rest, options),
}

/** `docker-archive:FILE[:REFERENCE]` */
export const dockerArchive: LocationKind = {
  form: 'docker-archive:FILE[:NAME]',
  help: 'what docker save writes, and docker load, podman and k3s read; - as above',
  open: (rest, options) => openFile('docker-archive', rest, options),
}

async function openFile(
  prefix: 'oci-archive' | 'docker-archive',
  rest: string,
  { role }: OpenOptions,
): Promise<OpenLocation> {
  const { path, name, digest } = split(prefix, rest)
  const parts = { name, digest, bareTags: prefix === 'oci-archive', role }
  const text = `${prefix}:${rest}`
  if (role === 'source') return locate(text, await openArchive(path === '-' ? process.stdin : path), parts)
  if (path === '-' && process.stdout.isTTY) {
    throw new CliError(`${text}: an archive is nothing for a terminal: redirect the output to a file`, EXIT_USAGE)
  }
  const format = prefix === 'oci-archive' ? 'oci' : 'docker'
  const archive = await createArchive(path === '-' ? process.stdout : path, { format })
  return {
    ...(await locate(text, archive, parts)),
    finish: (signal) => archive.finish(signal && { signal }),
  }
}

interface LayoutParts {
  readonly name: string | undefined
  readonly digest: string | undefined
  /** Whether a word alone is a tag of the default repository, or, as to Docker, a repository. */
  readonly bareTags: boolean
  readonly role: OpenOptions['role']
}

/** In a layout, images may have whole names: `docker.io/library/alpine:3.20`. */
async function locate(
  text: string,
  backend: LayoutBackend,
  { name, digest, bareTags, role }: LayoutParts,
): Promise<OpenLocation> {
  const close = () => backend.close()
  try {
    if (digest !== undefined) return { backend, repository: backend.defaultRepository, reference: digest, close }
    if (name === undefined) return { backend, close }
    if (bareTags && isTag(name) && !(role === 'source' && (await isRepositoryAlone(backend, name)))) {
      return { backend, repository: backend.defaultRepository, reference: name, close }
    }
    const { registry, repository: path, tag, digest: named } = parseReference(name)
    const repository = registry === DOCKER_HUB ? shortest(path) : `${registry}/${path}`
    const reference = named ?? (hasTag(name) ? tag : undefined)
    if (reference !== undefined) return { backend, repository, reference, close }
    // Without a tag it is Docker's `latest`, where there is one, or the repository.
    const isTagged = role === 'source' && (await has(backend, repository, LATEST))
    return { backend, repository, ...(isTagged && { defaultReference: LATEST }), close }
  } catch (error) {
    await close()
    if (!RegistryError.is(error, 'NAME_INVALID') && !RegistryError.is(error, 'MANIFEST_INVALID')) throw error
    throw new CliError(`${text}: ${error.message}`, EXIT_USAGE, { cause: error })
  }
}

/** Whether a word is no tag of the default repository, and the name of another one. */
async function isRepositoryAlone(backend: LayoutBackend, word: string): Promise<boolean> {
  if (!isRepositoryName(word) || (await has(backend, backend.defaultRepository, word))) return false
  for await (const repository of backend.repositories()) if (repository === word) return true
  return false
}

async function has(backend: LayoutBackend, repository: string, tag: string): Promise<boolean> {
  return (await unless(NO_MANIFEST, backend.repository(repository).tags.resolve(tag))) !== undefined
}

function hasTag(name: string): boolean {
  return name.includes(':', name.lastIndexOf('/') + 1)
}

interface PathAndName {
  readonly path: string
  readonly name: string | undefined
  readonly digest: string | undefined
}

/** The path ends at the first colon, as with skopeo. */
function split(prefix: string, rest: string): PathAndName {
  const colon = rest.indexOf(':')
  const at = /@sha(256|512)$/.exec(rest.slice(0, Math.max(colon, 0)))?.index
  const path = rest.slice(0, at ?? (colon === -1 ? rest.length : colon))
  if (path === '') {
    const form = prefix === 'oci' ? 'oci:DIR[:TAG]' : `${prefix}:FILE[:NAME]`
    throw new CliError(`${prefix}:${rest}: a path is missing: ${form}`, EXIT_USAGE)
  }
  if (at !== undefined) return { path, name: undefined, digest: rest.slice(at + 1) }
  return { path, name: colon === -1 ? undefined : rest.slice(colon + 1), digest: undefined }
}
