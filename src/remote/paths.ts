// The registry's API as a client asks for it.
import type { Digest } from '../spec/digest.ts'

export const CATALOG = '/v2/_catalog'

export function blobPath(name: string, digest: Digest): string {
  return `/v2/${name}/blobs/${digest}`
}

export function uploadsPath(name: string): string {
  return `/v2/${name}/blobs/uploads/`
}

export function manifestPath(name: string, reference: string): string {
  return `/v2/${name}/manifests/${reference}`
}

export function tagsPath(name: string): string {
  return `/v2/${name}/tags/list`
}

export function referrersPath(name: string, subject: Digest): string {
  return `/v2/${name}/referrers/${subject}`
}

/** Actions that a request needs, as the token specification writes them. */
export function scope(name: string, ...actions: readonly ('pull' | 'push' | 'delete')[]): string {
  return `repository:${name}:${actions.join(',')}`
}
