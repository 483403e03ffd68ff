import type { Route } from '../../../src/http/route.ts'
import type { Principal } from './principals.ts'
import { OTHER_BLOB, type Scene } from './scene.ts'

/** `nothing`: it is answered before access control. `login`: to be known. */
export type Need = 'nothing' | 'login' | 'pull' | 'push' | 'delete' | 'catalog'

export interface Row {
  readonly title: string
  readonly method: string
  readonly url: (scene: Scene) => string
  readonly body?: (scene: Scene) => Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly needs: Need
  /** The answer to whoever may: where everything is there, and where nothing is. */
  readonly there: number | ((principal: Principal) => number)
  readonly absent: number
}

type Target = Pick<Row, 'title' | 'method' | 'url'> & Partial<Row>

const needs =
  (need: Need) =>
  (there: Row['there'], absent: number, target: Target): Row => ({ needs: need, there, absent, ...target })
const free = needs('nothing')
const login = needs('login')
const pull = needs('pull')
const push = needs('push')
const remove = needs('delete')
const catalog = needs('catalog')

/** Without the right to pull there, a mount is the beginning of an upload, as where nothing is there. */
const mounted = (principal: Principal) => (principal.elsewhere ? 201 : 202)

/**
 * Who may do what, for a human to read: what each route takes, and what it then answers. A kind of route without a row does not
 * compile; every case of access control is generated from here.
 */
export const POLICY: { readonly [K in Route['kind']]: readonly [Row, ...Row[]] } = {
  preflight: [free(204, 204, { title: 'preflight', method: 'OPTIONS', url: ({ manifest }) => manifest('v1') })],
  token: [free(404, 404, { title: 'token where none is given out', method: 'GET', url: () => '/v2/_wharfage/token' })],
  ping: [
    login(200, 200, { title: 'ping', method: 'GET', url: () => '/v2/' }),
    login(200, 200, { title: 'ping by HEAD', method: 'HEAD', url: () => '/v2/' }),
  ],
  catalog: [catalog(200, 200, { title: 'catalog', method: 'GET', url: () => '/v2/_catalog' })],
  listTags: [pull(200, 404, { title: 'tags', method: 'GET', url: ({ repository }) => `${repository}/tags/list` })],
  listReferrers: [pull(200, 200, { title: 'referrers', method: 'GET', url: (scene) => scene.referrers })],
  getManifest: [
    pull(200, 404, { title: 'manifest by tag', method: 'GET', url: ({ manifest }) => manifest('v1') }),
    pull(200, 404, { title: 'manifest by digest', method: 'GET', url: ({ manifest, digest }) => manifest(digest) }),
  ],
  headManifest: [pull(200, 404, { title: 'manifest', method: 'HEAD', url: ({ manifest }) => manifest('v1') })],
  putManifest: [
    push(201, 400, {
      title: 'manifest by tag',
      method: 'PUT',
      url: ({ manifest }) => manifest('v2'),
      body: ({ content }) => content,
    }),
    push(201, 400, {
      title: 'manifest by digest, with tags',
      method: 'PUT',
      url: ({ manifest, digest }) => `${manifest(digest)}?tag=v1&tag=v3`,
      body: ({ content }) => content,
    }),
  ],
  deleteManifest: [
    remove(202, 404, { title: 'tag', method: 'DELETE', url: ({ manifest }) => manifest('v1') }),
    remove(202, 404, { title: 'manifest', method: 'DELETE', url: ({ manifest, digest }) => manifest(digest) }),
  ],
  deleteRepository: [
    remove(202, 404, {
      title: 'repository',
      method: 'DELETE',
      url: ({ repository }) => `${repository}/_wharfage/repository`,
    }),
  ],
  getBlob: [
    pull(200, 404, { title: 'blob', method: 'GET', url: ({ blob }) => blob }),
    pull(206, 404, {
      title: 'part of a blob',
      method: 'GET',
      url: ({ blob }) => blob,
      headers: { range: 'bytes=0-0' },
    }),
  ],
  headBlob: [pull(200, 404, { title: 'blob', method: 'HEAD', url: ({ blob }) => blob })],
  deleteBlob: [remove(202, 404, { title: 'blob', method: 'DELETE', url: ({ blob }) => blob })],
  startUpload: [push(202, 202, { title: 'upload', method: 'POST', url: ({ uploads }) => uploads })],
  uploadBlob: [
    push(201, 201, {
      title: 'upload in one request',
      method: 'POST',
      url: ({ uploads, layer }) => `${uploads}?digest=${layer.digest}`,
      body: ({ layer }) => layer.content,
    }),
  ],
  mountBlob: [
    push(mounted, 202, {
      title: 'mount',
      method: 'POST',
      url: ({ uploads }) => `${uploads}?mount=${OTHER_BLOB}&from=other/app`,
    }),
    push(mounted, 202, {
      title: 'mount from wherever it is',
      method: 'POST',
      url: ({ uploads }) => `${uploads}?mount=${OTHER_BLOB}`,
    }),
  ],
  uploadStatus: [
    push(204, 404, { title: 'status of an upload', method: 'GET', url: ({ upload }) => upload }),
    push(204, 404, { title: 'status of an upload', method: 'HEAD', url: ({ upload }) => upload }),
  ],
  uploadChunk: [
    push(202, 404, {
      title: 'chunk',
      method: 'PATCH',
      url: ({ upload }) => upload,
      body: ({ layer }) => layer.content,
    }),
  ],
  finishUpload: [
    push(201, 404, {
      title: 'end of an upload',
      method: 'PUT',
      // A digest of neither scene: where the blob is there, a second PUT is taken for a repeated one.
      url: ({ upload, fresh }) => `${upload}?digest=${fresh.digest}`,
      body: ({ fresh }) => fresh.content,
    }),
  ],
  cancelUpload: [push(204, 404, { title: 'upload', method: 'DELETE', url: ({ upload }) => upload })],
}
