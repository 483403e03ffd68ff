// The public names, listed one by one. Adapters for frameworks and what needs more packages have subpaths of their own.
export {
  type Access,
  type AccessContext,
  type AccessController,
  type Authorize,
  anyone,
  type Grant,
} from './auth/access.ts'
export {
  type AppendOptions,
  type Backend,
  type BlobReader,
  type Blobs,
  type CommitOptions,
  type Decorator,
  decorate,
  type ExpectedTag,
  type ListOptions,
  type LocateOptions,
  type Manifest,
  type Manifests,
  type OpenBlobOptions,
  type OperationContext,
  type PutManifestOptions,
  type ReferrersOptions,
  type RepositoriesOptions,
  type Repository,
  type SetTagOptions,
  type StartUploadOptions,
  type StatBlobOptions,
  type StoreOverrides,
  type Tags,
  type Upload,
} from './backend.ts'
export {
  type ByteBody,
  type ByteRange,
  type ByteSource,
  type ByteStream,
  bytesBody,
  type SendableBytes,
  streamBody,
} from './bytes.ts'
export type { Copying } from './copy/copying.ts'
export type { CopyLocation, ImageLocation } from './copy/location.ts'
export type { CopyOptions } from './copy/options.ts'
export type { CopiedImage, CopyProgress, CopyResult, CopyTotals } from './copy/progress.ts'
export { copy } from './copy.ts'
export { type GuardOptions, guard, type ManifestProposal } from './decorators/guard.ts'
export { type ImmutableTagsOptions, immutableTags } from './decorators/immutable-tags.ts'
export { logged } from './decorators/logged.ts'
export { type NotifyOptions, notify } from './decorators/notify.ts'
export type { Match } from './decorators/pattern.ts'
export { type PolicyOptions, policy, type UrlPolicy } from './decorators/policy.ts'
export { prefix } from './decorators/prefix.ts'
export type { RouteUpstream } from './decorators/pull-through/router.ts'
export type {
  ContentType,
  PullThroughContentEvent,
  PullThroughCounts,
  PullThroughEvent,
  PullThroughStats,
} from './decorators/pull-through/stats.ts'
export type { PullThroughState } from './decorators/pull-through/storekeeper.ts'
export type { Upstream } from './decorators/pull-through/upstream.ts'
export {
  type PullThrough,
  type PullThroughOptions,
  pullThrough,
} from './decorators/pull-through.ts'
export type { PrefixLimit, QuotaLimit, QuotaLimits, RepositoryLimit } from './decorators/quota/limits.ts'
export { type QuotaOptions, quota } from './decorators/quota.ts'
export { readOnly } from './decorators/read-only.ts'
export { select } from './decorators/select.ts'
export { FilesystemDriver, type FilesystemOptions, filesystem } from './drivers/filesystem.ts'
export { checkKey as checkStorageKey } from './drivers/key.ts'
export { MemoryDriver, type MemoryOptions, memory } from './drivers/memory.ts'
export { type BaseUrlOptions, baseUrl } from './drivers/redirect/base-url.ts'
export { type CloudFrontOptions, cloudFront } from './drivers/redirect/cloud-front.ts'
export { type LocateObject, type LocateObjectOptions, redirectTo } from './drivers/redirect/redirect-to.ts'
export { type PieceStore, type PiecesOptions, uploadsInPieces } from './drivers/uploads-in-pieces.ts'
export { ERROR_CODES, type ErrorCode, RegistryError, type RegistryErrorOptions } from './errors.ts'
export type { EventBase, EventSink, RegistryEvent, RegistryEventMap } from './events.ts'
export type { Glob } from './glob.ts'
export type { AccessDecision, Audit, Outcome } from './http/audit.ts'
export { type BackendOf, type CorsOptions, createHandler, type HandlerOptions, type RateLimit } from './http/handler.ts'
export type { HttpHandler, HttpRequest, HttpResponse } from './http/message.ts'
export { consoleLogger, type LogFields, type Logger, silentLogger } from './logger.ts'
export { Registry, type RegistryOptions, type WrappingOptions } from './registry.ts'
export type { Descriptor, Platform } from './spec/descriptor.ts'
export {
  type Digest,
  type DigestAlgorithm,
  digestOf,
  fromCID,
  isDigest,
  parseDigest,
  toCID,
} from './spec/digest.ts'
export { type ManifestKind, type ManifestLimits, type ParsedManifest, parseManifest } from './spec/manifest.ts'
export { MEDIA_TYPES } from './spec/media-types.ts'
export { isRepositoryName, isTag, parseRepositoryName, parseTag } from './spec/name.ts'
export { formatReference, type ImageReference, parseReference } from './spec/reference.ts'
export { scanDigests } from './spec/scan-digests.ts'
export { BlobStore } from './storage/blob-store.ts'
export {
  type CacheStats,
  type DescriptorCache,
  MemoryCache,
  type MemoryCacheOptions,
} from './storage/descriptor-cache.ts'
export {
  type AppendOptions as DriverAppendOptions,
  type CreateUploadOptions,
  type DeleteOptions,
  type DriverOptions,
  type DriverUpload,
  KeyNotFoundError,
  type ListEntry,
  type ListKeysOptions,
  type ObjectStat,
  PreconditionFailedError,
  type PutOptions,
  type ReadOptions,
  type SealedUpload,
  type SignUrlOptions,
  type StorageDriver,
  StorageUnavailableError,
  UploadTakenOverError,
} from './storage/driver.ts'
export { ManifestStore } from './storage/manifest-store.ts'
export { type RedisCacheOptions, type RedisClient, redisCache } from './storage/redis-cache.ts'
export { type Sparseness, StorageCore, type StorageOptions } from './storage/storage-core.ts'
export { TagStore } from './storage/tag-store.ts'
export { UploadSession } from './storage/upload-session.ts'
export { wrapDriver } from './storage/wrap-driver.ts'
