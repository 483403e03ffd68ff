import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

// The one beside it, for vitest, is run by the runner that runs this.
describe('examples/testing/node.test.js', () => {
  it('passes under the runner of Node, and ends', async () => {
    const file = fileURLToPath(new URL('../examples/testing/node.test.js', import.meta.url))
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', file], { env })
    expect(stdout).toMatch(/^# pass 4$/m)
    expect(stdout).toMatch(/^# fail 0$/m)
  })
})
