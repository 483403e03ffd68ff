// The driver of `examples/`, held to the suite as its author would: by way of the package, as it is built.
import { afterEach, describe, it } from 'vitest'
import { testStorageDriver } from 'wharfage/testing'
import { tableDriver } from '../examples/driver.js'

testStorageDriver({ describe, it, afterEach }, { create: async () => tableDriver() })
