// What people import from `wharfage/testing`: suites that hold an implementation of a contract to it, under any test runner, and
// a registry, with images for it, for who tests what talks to one.
export type { BackendContractOptions, BackendTrait } from './backend-contract/options.ts'
export { testBackend } from './backend-contract.ts'
export type { DriverContractOptions, TestRunner } from './driver-contract/options.ts'
export { testStorageDriver } from './driver-contract.ts'
export type { Rights, Users } from './registry/access.ts'
export type { ChunkRules } from './registry/chunks.ts'
export { type Clock, type ManualClock, manualClock } from './registry/clock.ts'
export type { Failure, FailureRule } from './registry/failures.ts'
export {
  type ArtifactOptions,
  artifact,
  type ImageOptions,
  type IndexOptions,
  image,
  index,
  type LayerContent,
  type SymbolicImage,
} from './registry/image.ts'
export type { RegistryBehaviour, StartRegistryOptions, WellKnownRegistry } from './registry/options.ts'
export { type Quirk, REGISTRY_QUIRKS } from './registry/quirks.ts'
export type { RateLimit } from './registry/rate-limit.ts'
export type { RecordedRequest, RecordedRequests, RequestFilter, RequestMatch } from './registry/requests.ts'
export { type RunningRegistry, startRegistry } from './registry/start-registry.ts'
export type { KeyPair } from './registry/tls.ts'
export type { TokenOptions } from './registry/tokens.ts'
