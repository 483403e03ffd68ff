// Checks of what callers hand in, for those without a compiler: a mistake is told where it is made, not by somebody's push.
import { nearest } from './nearest.ts'

/** Every name of an options object, so that the compiler finds one that is missing; `false`: ours alone, never suggested. */
export type OptionNames<T> = { readonly [Name in keyof Required<T>]: boolean }

/**
 * @param owner - whose options they are, as the caller wrote it: `immutableTags()`
 * @throws `TypeError` naming the first option that is not known, and the one that was probably meant
 */
export function checkOptions<T extends object>(owner: string, options: T | undefined, names: OptionNames<T>): void {
  if (options === undefined) return
  const known = Object.keys(names).filter((name) => names[name as keyof T]) // by its own keys
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${owner} takes an object of options (${known.join(', ')}), not ${kindOf(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue
    const guess = nearest(name, known)
    const hint = guess === undefined ? `there are ${known.join(', ')}` : `did you mean "${guess}"?`
    throw new TypeError(`${owner} has no option "${name}": ${hint}`)
  }
}

/** @throws `TypeError` for a value that is none of `choices` */
export function checkChoice(name: string, value: string | undefined, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value)) return
  const listed = choices.map((choice) => `'${choice}'`).join(', ')
  throw new TypeError(`the option "${name}" must be one of ${listed}, not ${kindOf(value)}`)
}

/** @throws `TypeError` for what is no number, or is below zero */
export function checkAmount(name: string, value: number | undefined): void {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return
  throw new TypeError(`the option "${name}" must be a number, 0 or more, not ${kindOf(value)}`)
}

/** @throws `TypeError` for what is neither bytes nor an iterable of them */
export function checkBlobContent(content: unknown): void {
  if (content instanceof Uint8Array) return
  if (typeof content === 'object' && content !== null && Symbol.asyncIterator in content) return
  throw new TypeError(
    `blobs.put() takes bytes (a Buffer or other Uint8Array) or a stream of them, not ${kindOf(content)}${conversion(content)}`,
  )
}

/** @throws `TypeError` for what is no bytes, or lacks a media type */
export function checkManifestPut(content: unknown, options: unknown): void {
  if (!(content instanceof Uint8Array)) {
    throw new TypeError(
      `manifests.put() takes the bytes of a manifest (a Buffer or other Uint8Array), not ${kindOf(content)}${conversion(content)}`,
    )
  }
  const { mediaType, tags } = (options ?? {}) as { readonly mediaType?: unknown; readonly tags?: unknown }
  if (typeof mediaType !== 'string' || mediaType === '') {
    throw new TypeError(
      `manifests.put() needs the manifest's media type, { mediaType: MEDIA_TYPES.ociManifest } say, not ${kindOf(mediaType)}`,
    )
  }
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw new TypeError(
      `manifests.put() takes a list of tags, { tags: ['v1'] } say, not ${Array.isArray(tags) ? 'a list of other things' : kindOf(tags)}`,
    )
  }
}

/** What a value is, in words. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'string')
    return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object') return `the ${typeof value} ${String(value)}`
  if (Array.isArray(value)) return 'an array'
  const name: unknown = (value.constructor as { readonly name?: unknown } | undefined)?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'a plain object'
}

/** How to make bytes of it, where that is one step. */
function conversion(content: unknown): string {
  if (typeof content === 'string') return ': Buffer.from(text)'
  if (content instanceof ArrayBuffer) return ': new Uint8Array(arrayBuffer)'
  if (ArrayBuffer.isView(content)) return ': new Uint8Array(view.buffer, view.byteOffset, view.byteLength)'
  if (content instanceof Blob) return ': blob.stream()'
  const isPlain = typeof content === 'object' && content !== null && Object.getPrototypeOf(content) === Object.prototype
  return isPlain ? ': Buffer.from(JSON.stringify(object))' : ''
}

/** The longest that Node's timers wait, in milliseconds; a longer one ends at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1
