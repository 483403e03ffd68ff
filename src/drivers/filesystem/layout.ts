/** Where the driver keeps what is its own, beside Distribution's `blobs` and `repositories`. */
const LAYOUT = 'docker/registry/v2'
const WORK = `${LAYOUT}/_wharfage`

/** Files being written and folders being deleted, under random names. */
export const TEMPORARY: string = `${WORK}/tmp`

/** Conditional writes in progress. */
export const CLAIMS: string = `${WORK}/claims`

/** Folders that hold no keys. */
export const HIDDEN: ReadonlySet<string> = new Set([TEMPORARY, CLAIMS])

const KEPT: ReadonlySet<string> = new Set([
  'docker',
  'docker/registry',
  LAYOUT,
  `${LAYOUT}/blobs`,
  `${LAYOUT}/repositories`,
  WORK,
])

/**
 * Folders that stay when they become empty: the layout's, and those that fill and empty with every push (uploads, and our
 * own), which would be made and synced anew each time.
 */
export function isKept(folder: string): boolean {
  if (KEPT.has(folder) || folder.endsWith('/_uploads')) return true
  return folder.startsWith(`${WORK}/`) && folder.indexOf('/', WORK.length + 1) < 0
}
