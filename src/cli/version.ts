import { readFileSync } from 'node:fs'

/** Of the package this file was installed with. */
export function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  if (file instanceof Object && 'version' in file && typeof file.version === 'string') return file.version
  throw new TypeError('package.json has no version')
}
