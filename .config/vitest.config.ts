import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    // The example for its users is a test of ours as well.
    include: ['test/**/*.test.ts', 'examples/testing/vitest.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Nothing of ours is kept in a module, so files can share a process: what they import is most of what most of them cost.
    isolate: false,
    // Also where that is all there are: what vitest would leave free for itself has nothing to do.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // A process that leaks a listener, a timer or a rejection fails the run.
    dangerouslyIgnoreUnhandledErrors: false,
  },
})
