import { RegistryError } from '../../errors.ts'
import { createArchive } from '../../layout/create-archive.ts'
import type { LayoutBackend } from '../../layout/layout-backend.ts'
import { layoutDirectory } from '../../layout/layout-directory.ts'
import { openArchive } from '../../layout/open-archive.ts'
import { isTag } from '../../spec/name.ts'
import { DOCKER_HUB, parseReference } from '../../spec/reference.ts'
import { CliError, EXIT_USAGE } from '../cli-error.ts'
import type { LocationKind, OpenLocation, OpenOptions } from './location.ts'

/** `oci:DIRECTORY[:TAG]` */
export const layoutLocation: LocationKind = {
  form: 'oci:DIR[:TAG|:NAME|@DIGEST]',
  help: 'an OCI image layout in a directory; NAME is a whole reference',
  open: async (rest, { role }) => {
    const { path, name, digest } = split('oci', rest)
    return locate(`oci:${rest}`, layoutDirectory(path, { create: role === 'target' }), { name, digest, bareTags: true })
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
  const parts = { name, digest, bareTags: prefix === 'oci-archive' }
  const text = `${prefix}:${rest}`
  if (role === 'source') return locate(text, await openArchive(path === '-' ? process.stdin : path), parts)
  if (path === '-' && process.stdout.isTTY) {
    throw new CliError(`${text}: an archive is nothing for a terminal: redirect the output to a file`, EXIT_USAGE)
  }
  const format = prefix === 'oci-archive' ? 'oci' : 'docker'
  const archive = await createArchive(path === '-' ? process.stdout : path, { format })
  return {
    ...locate(text, archive, parts),
    finish: (signal) => archive.finish(signal && { signal }),
  }
}

interface LayoutParts {
  readonly name: string | undefined
  readonly digest: string | undefined
  /** Whether a word alone is a tag of the default repository, or, as to Docker, a repository. */
  readonly bareTags: boolean
}

/** In a layout, images may have whole names: `docker.io/library/alpine:3.20`. */
function locate(text: string, backend: LayoutBackend, { name, digest, bareTags }: LayoutParts): OpenLocation {
  const close = () => backend.close()
  if (digest !== undefined) return { backend, repository: backend.defaultRepository, reference: digest, close }
  if (name === undefined) return { backend, close }
  if (bareTags && isTag(name)) return { backend, repository: backend.defaultRepository, reference: name, close }
  try {
    const { registry, repository, tag, digest: named } = parseReference(name)
    const reference = named ?? tag
    return {
      backend,
      repository: registry === DOCKER_HUB ? repository : `${registry}/${repository}`,
      ...(reference !== undefined && { reference }),
      close,
    }
  } catch (error) {
    if (!RegistryError.is(error)) throw error
    throw new CliError(`${text}: ${error.message}`, EXIT_USAGE, { cause: error })
  }
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
