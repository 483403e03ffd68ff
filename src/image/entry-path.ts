/**
 * A path within an image, without a slash at its ends: `/app//server.js` is `app/server.js`, the root is ``.
 *
 * @throws `TypeError` for `..`, and for a zero byte
 */
export function entryPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..') || path.includes('\0')) {
    throw new TypeError(`a path in an image must not hold ".." or a zero byte: ${JSON.stringify(path)}`)
  }
  return parts.join('/')
}

/** Of `path` below `directory`, each as {@link entryPath} makes them. */
export function joinPath(directory: string, path: string): string {
  return directory === '' || path === '' ? directory + path : `${directory}/${path}`
}

/** Every directory that `path` lies in but the root, outermost first. */
export function ancestorsOf(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'))
}

/** What begins with this says that something is gone. */
export const WHITEOUT_PREFIX = '.wh.'

/** @throws `TypeError` for a name that would be taken for a whiteout */
export function checkNoWhiteout(path: string): void {
  const part = path.split('/').find((name) => name.startsWith(WHITEOUT_PREFIX))
  if (part === undefined) return
  throw new TypeError(
    `${JSON.stringify(path)}: a name that begins with ${WHITEOUT_PREFIX} means a removal: use remove()`,
  )
}

/** Says that `path` is gone. */
export function whiteoutOf(path: string): string {
  const slash = path.lastIndexOf('/') + 1
  return path.slice(0, slash) + WHITEOUT_PREFIX + path.slice(slash)
}
