const MAX_SEGMENT_LENGTH = 255

/**
 * Refuses what is not a storage key (see {@link StorageDriver}), so that no key can leave the store's root or hide in it.
 * What passes is ASCII: string order is byte order.
 *
 * @throws TypeError
 */
export function checkKey(key: string): void {
  let start = 0
  for (let i = 0; i <= key.length; i++) {
    const code = i === key.length ? SLASH : key.charCodeAt(i)
    if (code === SLASH) {
      const length = i - start
      const dots = key[start] === '.' && (length === 1 || (length === 2 && key[start + 1] === '.'))
      if (length === 0 || length > MAX_SEGMENT_LENGTH || dots) throw invalid(key)
      start = i + 1
    } else if (!isKeyCharacter(code)) {
      throw invalid(key)
    }
  }
}

/** Like {@link checkKey}, for a folder: the root, `''`, is one. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix)
}

/** Whether `name` can be one segment of a key. */
export function isSegment(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > MAX_SEGMENT_LENGTH) return false
  for (let i = 0; i < name.length; i++) if (!isKeyCharacter(name.charCodeAt(i))) return false
  return true
}

const SLASH = 0x2f

function isKeyCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || // a-z
    (code >= 0x30 && code <= 0x39) || // 0-9
    (code >= 0x41 && code <= 0x5a) || // A-Z
    code === 0x2d || // -
    code === 0x2e || // .
    code === 0x5f || // _
    code === 0x2b || // +
    code === 0x3d // =
  )
}

function invalid(key: string): TypeError {
  return new TypeError(`not a storage key: ${JSON.stringify(key.slice(0, 300))}`)
}
