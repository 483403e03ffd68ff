import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SOURCE = new URL('../src/', import.meta.url)

/** Files of `src`, and those of them that each imports, as paths from there. */
const imports = readImports()

/** What a part may see of others; only parts named on the left are held to it. A path ends in `/` for a whole folder. */
const MAY_IMPORT: readonly [part: string, others: readonly string[]][] = [
  ['spec/', ['errors.ts']],
  ['storage/', ['spec/', 'arguments.ts', 'backend.ts', 'bytes.ts', 'errors.ts', 'logger.ts']],
  [
    'drivers/',
    [
      'storage/driver.ts',
      'storage/wrap-driver.ts',
      'bytes/',
      'arguments.ts',
      'bytes.ts',
      'in-parallel.ts',
      'logger.ts',
      'nearest.ts',
    ],
  ],
  [
    'layout/',
    [
      ...['spec/', 'arguments.ts', 'backend.ts', 'bytes.ts', 'errors.ts', 'decorators/with-errors.ts'],
      // Files are written and read as the storage on a directory does it.
      ...['drivers/filesystem/', 'drivers/consume.ts', 'drivers/keyed-mutex.ts'],
      ...['storage/byte-order.ts', 'storage/layout.ts'],
      // Only what a header is: it looks entries up by their place, and never extracts one.
      'tar/',
    ],
  ],
  [
    'decorators/',
    [
      ...['spec/', 'arguments.ts', 'backend.ts', 'bytes.ts', 'errors.ts', 'events.ts', 'glob.ts', 'in-parallel.ts'],
      'logger.ts',
    ],
  ],
  ['remote/', ['spec/', 'arguments.ts', 'backend.ts', 'bytes.ts', 'errors.ts']],
  [
    'http/',
    ['auth/', 'spec/', 'arguments.ts', 'backend.ts', 'bytes.ts', 'client-network.ts', 'errors.ts', 'logger.ts'],
  ],
  // A controller looks at the request, in the neutral form in which adapters hand it in.
  [
    'auth/',
    [
      ...['http/message.ts', 'http/headers.ts', 'http/query.ts', 'arguments.ts', 'bytes.ts', 'errors.ts', 'logger.ts'],
      // Rules are about repositories' names, limits about whose addresses are one client's.
      ...['spec/name.ts', 'client-network.ts', 'glob.ts', 'nearest.ts'],
    ],
  ],
  ['adapters/', ['http/handler.ts', 'http/message.ts', 'arguments.ts', 'errors.ts', 'logger.ts']],
  ['tar/', ['bytes.ts', 'errors.ts']],
  // Suites see the contract that they hold others to; the registry for tests is put together of all that there is.
  ['testing/driver-contract/', ['testing/seeded.ts', 'storage/driver.ts', 'bytes.ts']],
  ['testing/driver-contract.ts', ['testing/driver-contract/', 'storage/driver.ts', 'bytes.ts']],
  ['testing/backend-contract/', ['testing/', 'spec/', 'backend.ts', 'bytes.ts', 'errors.ts']],
  ['image/', ['spec/', 'tar/', 'arguments.ts', 'backend.ts', 'bytes.ts', 'errors.ts', 'in-parallel.ts']],
]

describe('imports within src', () => {
  it.each(MAY_IMPORT)('of %s reach nothing but %j', (part, others) => {
    const found = [...imports].filter(([file]) => file.startsWith(part))
    expect(found).not.toEqual([])
    for (const [file, seen] of found) {
      const allowed = (other: string) => [part, ...others].some((one) => other === one || isBelow(other, one))
      expect({ file, forbidden: seen.filter((other) => !allowed(other)) }).toEqual({ file, forbidden: [] })
    }
  })

  it('go round in no circle', () => {
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]) => {
      expect(path.includes(file) ? [...path.slice(path.indexOf(file)), file] : []).toEqual([])
      if (done.has(file)) return
      for (const other of imports.get(file) ?? []) visit(other, [...path, file])
      done.add(file)
    }
    for (const file of imports.keys()) visit(file, [])
    expect(done.size).toBeGreaterThan(100)
  })
})

function isBelow(path: string, folder: string): boolean {
  return folder.endsWith('/') && path.startsWith(folder)
}

function readImports(): ReadonlyMap<string, readonly string[]> {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll('\\', '/'))
  return new Map(files.filter((path) => /\.c?ts$/.test(path)).map((path) => [path, importsOf(path)]))
}

function importsOf(path: string): string[] {
  const file = new URL(path, SOURCE)
  const named = readFileSync(file, 'utf8').matchAll(/(?: from |import\()'(\.[^']+)'/g)
  const root = fileURLToPath(SOURCE).length
  return Array.from(named, ([, name]) =>
    fileURLToPath(new URL(name ?? '', file))
      .slice(root)
      .replaceAll('\\', '/'),
  )
}
