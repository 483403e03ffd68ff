import type { PackEntry } from '../tar/pack-tar.ts'
import { type Defaults, headerOf } from './attributes.ts'
import { ancestorsOf, entryPath } from './entry-path.ts'

/**
 * Directories that any base has and that are not to be made anew: on many systems `/bin` is a symbolic link, which an entry for a
 * directory would replace, and `/tmp` is open to everybody.
 */
const OF_ANY_BASE: ReadonlySet<string> = new Set(
  'bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var'
    .split(' ')
    .concat(['usr/bin', 'usr/lib', 'usr/lib64', 'usr/local', 'usr/local/bin', 'usr/sbin', 'usr/share'])
    .concat(['var/cache', 'var/lib', 'var/lock', 'var/log', 'var/run', 'var/tmp']),
)

interface ParentsOptions {
  readonly defaults: Defaults
  /** Whether the layer lies on others that we do not look into. */
  readonly isOnBase: boolean
  /** Whether directories among `entries` are written even where any base has them: somebody has named them. */
  readonly keepsOwn: boolean
}

/** Puts every directory before what is in it, once: what a runtime makes of one that no layer tells of is its own affair. */
export async function* addParents(
  entries: AsyncIterable<PackEntry>,
  { defaults, isOnBase, keepsOwn }: ParentsOptions,
): AsyncGenerator<PackEntry> {
  const made = new Set<string>()
  for await (const entry of entries) {
    const path = entryPath(entry.header.name)
    for (const name of ancestorsOf(path)) {
      if (made.has(name) || (isOnBase && OF_ANY_BASE.has(name))) continue
      made.add(name)
      yield { header: headerOf({ name, type: 'directory' }, defaults) }
    }
    if (entry.header.type === 'directory') {
      if (isOnBase && OF_ANY_BASE.has(path) && !keepsOwn) continue
      made.add(path)
    }
    yield entry
  }
}
