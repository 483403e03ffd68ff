// The OCI conformance suite, development version of the specification, with nothing switched off: on memory and on a
// directory, and again with manifests whose children were never pushed. With the names of object stores as arguments, on
// those: sent through the registry, and by redirect, where only what a store's own answer cannot carry may differ.
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startBuckets } from './lib/buckets.mjs'
import { Check } from './lib/check.mjs'
import { environmentWithout, startRegistry } from './lib/registry.mjs'
import { attempt } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const stores = process.argv.slice(2)
const check = new Check(['conformance', ...stores].join(' '))

// Fewer tests than a complete run of the pinned suite means that something was filtered out.
const rounds = [
  { name: 'memory', storage: () => 'memory:', sparse: false, leastTests: 980 },
  { name: 'directory', storage: (dir) => `file:${dir}`, sparse: false, leastTests: 980 },
  { name: 'memory, sparse', storage: () => 'memory:', sparse: true, leastTests: 1024 },
  { name: 'directory, sparse', storage: (dir) => `file:${dir}`, sparse: true, leastTests: 1024 },
]

for (const round of stores.length === 0 ? rounds : []) {
  await check.step(round.name, () => withScope((scope) => conform(scope, round)))
}
for (const store of stores) {
  await withScope(async (scope) => {
    const bucket = await startBuckets(scope, store)
    for (const redirected of [false, true]) {
      const name = `${store}, ${redirected ? 'redirected' : 'streamed'}`
      const round = { name, sparse: false, leastTests: 980, storage: await bucket(), redirected }
      await check.step(name, () => conform(scope, round))
    }
  })
}
check.finish()

async function conform(scope, { name, storage, sparse, leastTests, redirected = false }) {
  const dir = await scope.tempDir('conformance')
  const results = join(dir, 'results')
  await mkdir(results)
  const registry = await startRegistry(scope, {
    storage: typeof storage === 'string' ? storage : storage(join(dir, 'registry')),
    args: [...(sparse ? ['--sparse', 'all'] : []), ...(redirected ? [] : ['--no-redirect'])],
  })
  const { stdout, stderr } = await attempt('conformance', [], {
    cwd: results,
    env: {
      ...environmentWithout('OCI_'),
      OCI_REGISTRY: registry.host,
      OCI_TLS: 'disabled',
      OCI_VERSION: 'dev',
      OCI_DATA_SPARSE: String(sparse),
      OCI_RESULTS_DIR: results,
      OCI_LOG: 'error',
    },
  })
  const report = parseReport(stdout)
  console.log(`     ${name}: ${report.counts.Pass} of ${report.counts.Total} pass`)
  const complaints = redirected ? await beyondRedirects(stdout) : complaintsAbout(report, sparse, leastTests)
  if (complaints.length > 0) throw new Error([...complaints, ...failures(stdout), stderr.slice(-500)].join('\n'))
  // The suite leaves its reports only when it came to its end.
  await readFile(join(results, 'results.yaml'))
  await registry.stop()
}

function complaintsAbout({ result, counts, areas }, sparse, leastTests) {
  const complaints = []
  if (result !== 'Pass') complaints.push(`result ${result}`)
  for (const status of ['Disabled', 'Skip', 'FAIL', 'Error']) {
    if (counts[status] !== 0) complaints.push(`${status}: ${counts[status]}`)
  }
  if (counts.Pass !== counts.Total) complaints.push(`${counts.Pass} of ${counts.Total} pass`)
  if (!(counts.Total >= leastTests)) complaints.push(`${counts.Total} tests ran, expected at least ${leastTests}`)
  if (areas.length < 40) complaints.push(`${areas.length} areas reported`)
  for (const { area, status } of areas) {
    const expected = area === 'Sparse Manifests' && !sparse ? 'Disabled' : 'Pass'
    if (status !== expected) complaints.push(`${area}: ${status}`)
  }
  return complaints
}

/**
 * A pull that ends at the store gets the store's headers. The suite counts a missing `Docker-Content-Digest` as a failure,
 * though the redirect had it: every other failure is one.
 */
async function beyondRedirects(stdout) {
  const lines = stdout.split('\n')
  const failed = lines.flatMap((line, at) => (/: FAIL$/.test(line) && /^\s+- /.test(lines[at + 1] ?? '') ? [at] : []))
  const other = failed.filter((at) => !/Docker-Content-Digest/i.test(lines[at + 1]))
  // None at all would mean that nothing was redirected.
  if (failed.length === 0) return ['no pull was redirected']
  return other.map((at) => `${lines[at].trim()} ${lines[at + 1].trim()}`)
}

/** Reads the summary: `OCI Conformance Result: Pass`, one count per status, then one status per API and kind of data. */
function parseReport(stdout) {
  const summary = stdout.slice(stdout.indexOf('OCI Conformance Result:'))
  const counts = {}
  const areas = []
  for (const [, label, value] of summary.matchAll(/^ {2}([A-Za-z0-9 +-]+?)\.*: +(\S+)$/gm)) {
    if (/^\d+$/.test(value)) counts[label] = Number(value)
    else areas.push({ area: label, status: value })
  }
  return { result: /^OCI Conformance Result: (\S+)/.exec(summary)?.[1], counts, areas }
}

/** The failed and skipped leaves with their reasons, at most 60 lines. */
function failures(stdout) {
  const lines = stdout.split('\n')
  const shown = lines.filter(
    (line, at) => /: (FAIL|Skip|Error|Disabled)$/.test(line) && /^\s+- /.test(lines[at + 1] ?? ''),
  )
  return shown.flatMap((line) => [line, lines[lines.indexOf(line) + 1]]).slice(0, 60)
}
