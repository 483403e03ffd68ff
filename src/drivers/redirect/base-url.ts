import type { LocateObject } from './redirect-to.ts'

export interface BaseUrlOptions {
  /** Must be `https:`, unless this is true: what is public may be, what is not would be read on its way. Default: false. */
  readonly allowHttp?: boolean
}

/**
 * URLs without a signature, for `redirectTo`: the base, a slash, and the key. For a CDN or a mirror that decides for itself
 * who may read. What a driver's `rootDirectory` puts in front of its keys belongs into the base. As Distribution's storage
 * middleware `redirect`.
 *
 * @throws TypeError for what is no URL of a folder
 */
export function baseUrl(base: string | URL, options: BaseUrlOptions = {}): LocateObject {
  const folder = checkBaseUrl('baseUrl()', base, options)
  return (key) => new URL(key, folder)
}

/** @throws TypeError for what keys cannot be appended to */
export function checkBaseUrl(owner: string, base: string | URL, { allowHttp = false }: BaseUrlOptions): URL {
  const url = URL.canParse(String(base)) ? new URL(String(base)) : undefined
  const isFolder =
    url !== undefined && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!isFolder || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`${owner} needs a URL without a query, https://cdn.example.com/images say, not ${String(base)}`)
  }
  if (url.protocol === 'http:' && !allowHttp) {
    throw new TypeError(`${owner} needs an https: URL, or allowHttp: true: not ${String(base)}`)
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}
