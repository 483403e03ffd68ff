import { type FileOps, nodeFileOps } from '../../src/drivers/filesystem/file-ops.ts'

/** One call to the file system; `path` is that of the file also where the call names a descriptor. */
export interface FileCall {
  readonly name: keyof FileOps
  readonly path: string
  /** Where a rename, a link or a copy leads. */
  readonly to?: string
}

const WITH_TARGET = new Set<keyof FileOps>(['rename', 'link', 'copyFile'])

/** The real calls, each handed to `around` first, which makes it by calling `proceed`, or does something else. */
export function interceptedOps(
  around: (call: FileCall, proceed: () => Promise<unknown>) => Promise<unknown>,
  ops: FileOps = nodeFileOps,
): FileOps {
  const paths = new Map<unknown, string>()
  const intercept =
    (name: keyof FileOps) =>
    async (first: unknown, second: unknown, ...rest: unknown[]) => {
      const path = typeof first === 'string' ? first : (paths.get(first) ?? '')
      const call: FileCall = { name, path, ...(WITH_TARGET.has(name) && { to: String(second) }) }
      const result = await around(call, () => Reflect.apply(ops[name], ops, [first, second, ...rest]))
      if (name === 'open') paths.set(result, path)
      return result
    }
  const names: (keyof FileOps)[] = [
    'open',
    'close',
    'read',
    'write',
    'fsync',
    'futimes',
    'fstat',
    'lstat',
    'link',
    'rename',
    'unlink',
    'mkdir',
    'mkdirAlone',
    'rmdir',
    'readdir',
    'realpath',
    'copyFile',
  ]
  // Built by name, which the compiler cannot follow; every call goes through unchanged.
  return Object.fromEntries(names.map((name) => [name, intercept(name)])) as unknown as FileOps
}

/** The calls in the order in which they were over, `name path` each, and `name path -> to`. */
export function recordedOps(calls: string[], ops?: FileOps): FileOps {
  return interceptedOps(async ({ name, path, to }, proceed) => {
    const result = await proceed()
    calls.push(`${name} ${path}${to === undefined ? '' : ` -> ${to}`}`)
    return result
  }, ops)
}
