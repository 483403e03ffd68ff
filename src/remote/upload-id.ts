import { isUploadId } from '../spec/name.ts'
import { uploadsPath } from './paths.ts'

/** Marks an id that holds a whole location; no id of a registry's own begins so. */
const ENCODED = '='
/** What stands for the registry while a location is looked at. */
const NOWHERE = 'http://registry.invalid'

/**
 * The id under which an upload is found again: the last segment of its location where that says all, else the location itself,
 * encoded.
 */
export function formatUploadId(location: URL, repository: string): string {
  const parent = uploadsPath(repository)
  const last = location.pathname.startsWith(parent) ? location.pathname.slice(parent.length) : ''
  if (location.search === '' && isUploadId(last) && !last.startsWith(ENCODED)) return last
  return ENCODED + Buffer.from(location.pathname + location.search).toString('base64url')
}

/** The path and query of an upload of `repository`; `undefined` for an id that is none, or is of another repository. */
export function parseUploadId(id: string, repository: string): string | undefined {
  const parent = uploadsPath(repository)
  if (!id.startsWith(ENCODED)) return isUploadId(id) ? parent + id : undefined
  const location = Buffer.from(id.slice(1), 'base64url').toString()
  if (!location.startsWith('/') || !URL.canParse(location, NOWHERE)) return undefined
  // Whoever may name an id could otherwise have any path of the registry called with our credentials, or any other host. Parsed:
  // dots lead elsewhere, and so do `//host` and `/\host`.
  const { origin, pathname } = new URL(location, NOWHERE)
  return origin === NOWHERE && pathname.includes(parent) ? location : undefined
}
