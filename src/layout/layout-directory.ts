import { checkOptions, kindOf } from '../arguments.ts'
import { DirectoryFiles } from './directory-files.ts'
import { DirectoryIndex } from './directory-index.ts'
import { LayoutBackend } from './layout-backend.ts'
import { LayoutFolder } from './layout-folder.ts'
import { RepositoryNames } from './names.ts'

/** What the default repository is called where nobody says. */
export const DEFAULT_REPOSITORY = 'image'

export interface LayoutOptions {
  /** The repository of what the layout has no full name for: of a tag alone, as `skopeo copy … oci:path:tag` writes it. Default: `image`. */
  readonly repository?: string
  /**
   * Host of the repositories whose names have none: `team/app` is written as `<registry>/team/app`, and read as `team/app` again.
   * Default: `docker.io`.
   */
  readonly registry?: string
}

export interface LayoutDirectoryOptions extends LayoutOptions {
  /**
   * Whether a directory that is missing or empty counts as a layout with nothing in it, which the first write makes one; if not, that is
   * an error. Default: true.
   */
  readonly create?: boolean
}

/**
 * An OCI image layout in a directory, to read and to write. Nothing is touched before it is used.
 *
 * A blob is there once it is whole, verified and durable; `index.json` is replaced in one step. Any number of writers of this process,
 * and of others that use this class, can share a directory; for an upload to be resumed it must be this same object.
 *
 * @example
 * const layout = layoutDirectory('./carry')
 * const { digest } = await layout.repository('team/app').manifests.get('v1')
 */
export function layoutDirectory(path: string, options: LayoutDirectoryOptions = {}): LayoutBackend {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError(`layoutDirectory() takes the path of a directory, not ${kindOf(path)}`)
  }
  checkOptions<LayoutDirectoryOptions>('layoutDirectory()', options, { repository: true, registry: true, create: true })
  const { repository = DEFAULT_REPOSITORY, registry, create = true } = options
  const names = new RepositoryNames({ repository, registry })
  const folder = new LayoutFolder(path, { mayCreate: create })
  const files = new DirectoryFiles(folder)
  return new LayoutBackend({ ops: folder.ops, files, index: new DirectoryIndex(folder, names), names })
}
