import type { Access } from '../auth/access.ts'
import type { Route, RouteOf } from './route.ts'

/** Routes that are answered after access control; a preflight comes before it, and tokens are given out by it. */
export type GuardedKind = Exclude<Route['kind'], 'preflight' | 'token'>

const pull = ({ name }: { readonly name: string }): readonly Access[] => [repository(name, 'pull')]

/** Docker's clients ask their token server for both when they push. */
const push = ({ name }: { readonly name: string }): readonly Access[] => [
  repository(name, 'pull'),
  repository(name, 'push'),
]

const remove = ({ name }: { readonly name: string }): readonly Access[] => [repository(name, 'delete')]

/** What each request needs, as Distribution asks for it. A route without a row does not compile. */
const requiredAccess: { readonly [K in GuardedKind]: (route: RouteOf<K>) => readonly Access[] } = {
  ping: () => [],
  getBlob: pull,
  headBlob: pull,
  deleteBlob: remove,
  startUpload: push,
  uploadBlob: push,
  mountBlob: push, // the right to pull from the source is asked for by the endpoint: without it, this is an upload
  uploadStatus: push,
  uploadChunk: push,
  finishUpload: push,
  cancelUpload: push, // Distribution asks for delete, which whoever began the upload may not have
  getManifest: pull,
  headManifest: pull,
  putManifest: push,
  deleteManifest: remove,
  deleteRepository: remove,
  listTags: pull,
  listReferrers: pull,
  catalog: () => [{ type: 'registry', name: 'catalog', action: '*' }],
}

/** The row of one route. */
export function accessFor(route: RouteOf<GuardedKind>): readonly Access[] {
  // The table's type ties each row to its kind; the compiler cannot follow that through a lookup.
  return (requiredAccess[route.kind] as (route: RouteOf<GuardedKind>) => readonly Access[])(route)
}

function repository(name: string, action: Access['action']): Access {
  return { type: 'repository', name, action }
}
