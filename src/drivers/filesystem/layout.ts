import { KEY_ROOT, OWN_ROOT } from '../../storage/driver.ts'

/** Files being written and folders being deleted, under random names. */
export const TEMPORARY: string = `${OWN_ROOT}/tmp`

/** Conditional writes in progress. */
export const CLAIMS: string = `${OWN_ROOT}/claims`

/** Folders that hold no keys. */
export const HIDDEN: ReadonlySet<string> = new Set([TEMPORARY, CLAIMS])

const KEPT: ReadonlySet<string> = new Set([
  'docker',
  'docker/registry',
  KEY_ROOT,
  `${KEY_ROOT}/blobs`,
  `${KEY_ROOT}/repositories`,
  OWN_ROOT,
])

/**
 * Folders that stay when they become empty: the layout's, and those that fill and empty with every push (uploads, and our
 * own), which would be made and synced anew each time.
 */
export function isKept(folder: string): boolean {
  if (KEPT.has(folder) || folder.endsWith('/_uploads')) return true
  return folder.startsWith(`${OWN_ROOT}/`) && folder.indexOf('/', OWN_ROOT.length + 1) < 0
}
