#!/usr/bin/env node

// CommonJS, for the one line that must run before anything touches the file system: Node's thread pool takes its size from
// the environment once, at its first use, and the loader of ES modules is one. Four threads, the default, are four syncs at
// a time; more let the file system settle many of them in one write to its journal.
process.env.UV_THREADPOOL_SIZE ??= '16'

void import('./run.ts').then(async ({ run }) => {
  // The exit code is set, not forced: what is still being written to a pipe gets there.
  process.exitCode = await run(process.argv.slice(2))
})
