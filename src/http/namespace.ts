import { headerOf } from './headers.ts'
import type { HttpRequest } from './message.ts'
import { parseQuery, single } from './query.ts'

/**
 * Which registry the client has in mind when it asks us in its place: `ns` as containerd and podman send it to mirrors, else the
 * header of that name, which lazy snapshotters can be configured to send.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#registry-proxying
 * @throws {@link RegistryError} `UNSUPPORTED` (400) when `ns` is there twice
 */
export function namespaceOf(request: HttpRequest): string | undefined {
  return queriedNamespace(request) ?? (headerOf(request, 'oci-namespace') || undefined)
}

/** `url` with the `ns` of the request, so that whoever follows it asks for the same. */
export function keepingNamespace(request: HttpRequest, url: string): string {
  const namespace = queriedNamespace(request)
  if (namespace === undefined) return url
  return `${url}${url.includes('?') ? '&' : '?'}ns=${encodeURIComponent(namespace)}`
}

function queriedNamespace({ url }: HttpRequest): string | undefined {
  const query = url.indexOf('?') + 1
  // Nearly no request has one: nothing is parsed for those.
  if (query === 0 || !url.includes('ns=', query)) return undefined
  return single(parseQuery(url.slice(query)), 'ns') || undefined
}
