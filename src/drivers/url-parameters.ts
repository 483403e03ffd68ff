import { nearest } from '../nearest.ts'

/**
 * Reads the query of a storage URL (`s3://bucket/prefix?region=…`): every parameter is known, and given once.
 *
 * @param readers - by name, each turns its text into options
 * @throws TypeError naming the parameter, and the one that was probably meant
 */
export function readParameters<T extends object>(
  url: URL,
  readers: Readonly<Record<string, (text: string, name: string) => Partial<T>>>,
): Partial<T> {
  const options: Partial<T> = {}
  const seen = new Set<string>()
  for (const [name, text] of url.searchParams) {
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (read === undefined) {
      const guess = nearest(name, Object.keys(readers))
      const hint = guess === undefined ? `there are ${Object.keys(readers).join(', ')}` : `did you mean ${guess}?`
      throw new TypeError(`no parameter "${name}": ${hint}`)
    }
    if (seen.has(name)) throw new TypeError(`the parameter "${name}" is given twice`)
    if (text === '') throw new TypeError(`the parameter "${name}" is empty`)
    seen.add(name)
    Object.assign(options, read(text, name))
  }
  return options
}

/** @throws TypeError for anything but `true` and `false` */
export function readBoolean(text: string, name: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new TypeError(`the parameter "${name}" must be true or false, not ${text}`)
}

/** @throws TypeError for what is none of `choices` */
export function readChoice<T extends string>(text: string, name: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === text)
  if (choice !== undefined) return choice
  throw new TypeError(`the parameter "${name}" must be one of ${choices.join(', ')}, not ${text}`)
}

/**
 * `scheme://container/prefix?…`, taken apart.
 *
 * @throws TypeError where something else than that is given
 */
export function readStorageUrl(
  text: string,
  scheme: string,
): { readonly url: URL; readonly container: string; readonly rootDirectory: { readonly rootDirectory?: string } } {
  const start = `${scheme}://`
  const rest = text.startsWith(start) ? text.slice(start.length) : ''
  const [, container = '', path = ''] = /^([^/?#]+)\/?([^?#]*)/.exec(rest) ?? []
  if (container === '') throw new TypeError(`expected ${scheme}://NAME/PREFIX?…`)
  // Whoever writes a key here would find it in the list of processes, and in the log.
  if (container.includes('@')) throw new TypeError('credentials do not belong in the URL: see the documentation')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.hash !== '') throw new TypeError(`expected ${scheme}://NAME/PREFIX?…`)
  const prefix = decodeURIComponent(path).replace(/(?<!\/)\/+$/, '')
  return { url, container, rootDirectory: prefix === '' ? {} : { rootDirectory: prefix } }
}
