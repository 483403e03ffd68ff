// What people import from `wharfage/testing`: suites that hold an implementation of a contract to it, under any test runner.
export type { BackendContractOptions, BackendTrait } from './backend-contract/options.ts'
export { testBackend } from './backend-contract.ts'
export type { DriverContractOptions, TestRunner } from './driver-contract/options.ts'
export { testStorageDriver } from './driver-contract.ts'
