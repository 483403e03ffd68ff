import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    // The example for its users is a test of ours as well.
    include: ['test/**/*.test.ts', 'examples/testing/vitest.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A process that leaks a listener, a timer or a rejection fails the run.
    dangerouslyIgnoreUnhandledErrors: false,
  },
})
