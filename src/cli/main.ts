#!/usr/bin/env node
import { run } from './run.ts'

// The exit code is set, not forced: what is still being written to a pipe gets there.
void run(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
