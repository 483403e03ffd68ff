import type { JsonObject } from './json-scan.ts'

/** The keys that an object of a specification gives a meaning to. */
interface KnownKeys {
  readonly exact: ReadonlySet<string>
  readonly folded: ReadonlySet<string>
  readonly longest: number
}

export function knownKeys(...keys: readonly string[]): KnownKeys {
  return {
    exact: new Set(keys),
    folded: new Set(keys.map(fold)),
    longest: Math.max(...keys.map((key) => key.length)),
  }
}

/**
 * A key of `object` that is a known one but for its case: `Layers` is `layers` to Docker and containerd (Go reads keys
 * without regard to case) and nothing to us, so that what it lists would be neither checked nor kept.
 */
export function findCaseVariant(object: JsonObject, known: KnownKeys): string | undefined {
  return Object.keys(object).find(
    (key) => !known.exact.has(key) && key.length <= known.longest && known.folded.has(fold(key)),
  )
}

/** As `encoding/json` folds: to it `ſ` is an s (and the Kelvin sign a k, which `toLowerCase` knows). */
function fold(key: string): string {
  return key.toLowerCase().replaceAll('ſ', 's')
}
