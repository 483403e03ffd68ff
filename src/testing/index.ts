// What people import from `wharfage/testing`: suites that hold an implementation of a contract to it, under any test runner.
export { type DriverContractOptions, type TestRunner, testStorageDriver } from './driver-contract.ts'
