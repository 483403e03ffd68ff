import type { Digest, DigestAlgorithm } from '../spec/digest.ts'

/** Every request a registry understands; comments give the specification's endpoint ids. */
export type Route =
  | { readonly kind: 'ping' } // end-1
  | { readonly kind: 'getBlob' | 'headBlob' | 'deleteBlob'; readonly name: string; readonly digest: Digest } // end-2, end-10
  | { readonly kind: 'startUpload'; readonly name: string; readonly algorithm: DigestAlgorithm } // end-4a, end-4c
  | { readonly kind: 'uploadBlob'; readonly name: string; readonly digest: Digest } // end-4b
  | { readonly kind: 'mountBlob'; readonly name: string; readonly digest: Digest; readonly from?: string } // end-11
  | { readonly kind: 'uploadStatus' | 'uploadChunk' | 'cancelUpload'; readonly name: string; readonly upload: string } // end-13, end-5, end-14
  | { readonly kind: 'finishUpload'; readonly name: string; readonly upload: string; readonly digest: Digest } // end-6
  | {
      readonly kind: 'getManifest' | 'headManifest' | 'deleteManifest'
      readonly name: string
      readonly reference: string
    } // end-3, end-9
  | {
      readonly kind: 'putManifest'
      readonly name: string
      readonly reference: string
      readonly tags: readonly string[]
    } // end-7a, end-7b
  | { readonly kind: 'deleteRepository'; readonly name: string } // ours: DELETE /v2/<name>/_wharfage/repository
  | { readonly kind: 'preflight' } // OPTIONS
  | { readonly kind: 'listTags'; readonly name: string; readonly limit?: number; readonly after?: string } // end-8
  | {
      readonly kind: 'listReferrers'
      readonly name: string
      readonly digest: Digest
      readonly artifactType?: string
      readonly limit?: number
      readonly after?: string
    } // end-12
  | { readonly kind: 'catalog'; readonly limit?: number; readonly after?: string }

export type RouteOf<K extends Route['kind']> = Extract<Route, { readonly kind: K }>
