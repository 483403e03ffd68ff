import type { Endpoints, Exchange } from '../exchange.ts'
import type { HttpResponse } from '../message.ts'
import { deleteBlob, getBlob, headBlob } from './blobs.ts'
import { catalog } from './catalog.ts'
import { deleteManifest, getManifest, headManifest, putManifest } from './manifests.ts'
import { ping } from './ping.ts'
import { listReferrers } from './referrers.ts'
import { deleteRepository } from './repository.ts'
import { listTags } from './tags.ts'
import { cancelUpload, finishUpload, mountBlob, startUpload, uploadBlob, uploadChunk, uploadStatus } from './uploads.ts'

const endpoints: Endpoints = {
  ping,
  getBlob,
  headBlob,
  deleteBlob,
  startUpload,
  uploadBlob,
  mountBlob,
  uploadStatus,
  uploadChunk,
  finishUpload,
  cancelUpload,
  getManifest,
  headManifest,
  putManifest,
  deleteManifest,
  deleteRepository,
  listTags,
  listReferrers,
  catalog,
}

/** Runs the endpoint of one route. */
export function answer(exchange: Exchange): HttpResponse | Promise<HttpResponse> {
  // The table's type ties each endpoint to its kind; the compiler cannot follow that through a lookup.
  return (endpoints[exchange.route.kind] as (exchange: Exchange) => HttpResponse | Promise<HttpResponse>)(exchange)
}
