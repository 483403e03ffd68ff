// What people import from `wharfage/testing`: suites that hold an implementation of a contract to it, under any test runner, and
// images for who tests what pushes and pulls them.
export type { BackendContractOptions, BackendTrait } from './backend-contract/options.ts'
export { testBackend } from './backend-contract.ts'
export type { DriverContractOptions, TestRunner } from './driver-contract/options.ts'
export { testStorageDriver } from './driver-contract.ts'
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
