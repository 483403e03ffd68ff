// The package as npm would publish it, installed into an empty project: what comes with it, that every entry point can
// be imported, required and compiled against with nothing else installed, or names what it needs; and that the command starts.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Check } from './lib/check.mjs'
import { run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('package')
const project = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'))
const entryPoints = Object.keys(manifest.exports)
  .filter((subpath) => subpath !== './package.json')
  .map((subpath) => join(manifest.name, subpath))
// What needs an optional peer, and which of them its first import names.
const peers = {
  'wharfage/s3': '@aws-sdk/client-s3',
  'wharfage/azure': '@azure/storage-blob',
  'wharfage/gcs': '@google-cloud/storage',
}
const alone = entryPoints.filter((entry) => peers[entry] === undefined)

await withScope(async (scope) => {
  const dir = await scope.tempDir('package')
  const [{ filename, files }] = JSON.parse(
    await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], { cwd: project }),
  )
  const unwanted = files
    .map(({ path }) => path)
    .filter((path) => !/^(dist\/|package\.json|README|LICENSE|CHANGELOG)/.test(path))
  check.equal('holds the build, the licence and the documents alone', unwanted, [])

  const installed = await check.step('installs into an empty project', async () => {
    await writeFile(join(dir, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module', private: true }))
    await run('npm', ['install', '--no-audit', '--no-fund', join(dir, filename)], { cwd: dir })
    return JSON.parse(await readFile(join(dir, 'package-lock.json'), 'utf8')).packages
  })
  if (installed === undefined) return
  const names = Object.keys(installed).filter(Boolean)
  const allowed = [manifest.name, ...Object.keys(manifest.dependencies)].map((name) => `node_modules/${name}`)
  check.equal('brings its dependencies and nothing below them', names.sort(), allowed.sort())
  const scripted = names.filter((name) => installed[name].hasInstallScript)
  check.equal('runs no install script', scripted, [])

  for (const entry of alone) {
    await check.step(`import '${entry}'`, () => exportsOf(dir, `await import('${entry}')`))
    await check.step(`require('${entry}')`, () => exportsOf(dir, `createRequire(import.meta.url)('${entry}')`))
  }
  await check.step('compiles in a strict project without the frameworks', () => compile(dir, alone))
  for (const [entry, peer] of Object.entries(peers)) {
    await check.step(`import '${entry}' names ${peer} when that is missing`, async () => {
      const message = await exportsOf(dir, `await import('${entry}')`).then(() => 'no failure', String)
      if (!message.includes(`Cannot find package '${peer}'`)) throw new Error(message)
    })
  }
  await check.step('installs the optional peers beside it', async () => {
    const wanted = Object.entries(manifest.peerDependencies).map(([name, range]) => `${name}@${range}`)
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...wanted], { cwd: dir })
  })
  for (const entry of Object.keys(peers)) {
    await check.step(`import '${entry}' beside its peers`, () => exportsOf(dir, `await import('${entry}')`))
    await check.step(`require('${entry}') beside its peers`, () =>
      exportsOf(dir, `createRequire(import.meta.url)('${entry}')`),
    )
  }
  // Declarations of the SDKs are not ours to check.
  await check.step('compiles beside the peers', () => compile(dir, entryPoints, { skipLibCheck: true }))
  await check.step('npx wharfage --version', async () => {
    const printed = await run('npx', ['--no-install', 'wharfage', '--version'], { cwd: dir })
    if (!printed.includes(manifest.version)) throw new Error(printed)
  })
})

await check.step('npx wharfage in the checkout', () =>
  withScope(async (scope) => {
    // npx links a checkout into its cache by path, and keeps a link that an earlier clone at the same path left there.
    const env = { ...process.env, npm_config_cache: await scope.tempDir('npm') }
    const printed = await run('npx', ['--no-install', 'wharfage', '--version'], { cwd: project, env })
    if (!printed.includes(manifest.version)) throw new Error(printed)
  }),
)
await check.step('npm start takes the options of serve', async () => {
  const printed = await run('npm', ['start', '--silent', '--', '--help'], { cwd: project })
  if (!printed.includes('127.0.0.1:5000') || !printed.includes('registry-data')) throw new Error(printed)
})
check.finish()

/** Evaluates `expression` in a module of the consumer's; nothing exported is a failure. */
async function exportsOf(dir, expression) {
  const source = `import { createRequire } from 'node:module'\nconsole.log(Object.keys(${expression}).length)\n`
  await writeFile(join(dir, 'probe.mjs'), source)
  const count = Number(await run(process.execPath, ['probe.mjs'], { cwd: dir }))
  if (!(count > 0)) throw new Error(`${count} exports`)
}

async function compile(dir, entries, more = {}) {
  const imports = entries.map((entry, at) => `import * as entry${at} from '${entry}'`)
  const uses = `console.log(${entries.map((_, at) => `entry${at}`).join(', ')})`
  await writeFile(join(dir, 'consumer.ts'), [...imports, uses, ''].join('\n'))
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023'],
    noEmit: true,
    // Our declarations are what is compiled: an import of a package that is not there must show.
    skipLibCheck: false,
    typeRoots: [join(project, 'node_modules/@types')],
    types: ['node'],
    ...more,
  }
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
  await run(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), '-p', dir], { cwd: dir })
}
