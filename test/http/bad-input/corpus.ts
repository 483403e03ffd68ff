import { afterAll, expect, it } from 'vitest'

/** Rows below which a kind must not shrink. Each has a file of its name beside this one. */
export const AT_LEAST = {
  names: 200,
  tags: 100,
  digests: 120,
  parameters: 100,
  headers: 150,
  manifests: 250,
  authorization: 180,
  sockets: 80,
  paths: 100,
} as const

export type Kind = keyof typeof AT_LEAST

/** A row is its own name, or has one in front. */
type Row = string | readonly [what: string, ...rest: readonly unknown[]]

/** Makes a test of every row of a table, called `<title>: <name of the row>`. */
type Rows = <const R extends Row>(title: string, table: readonly R[], check: (row: R) => Promise<void> | void) => void

/**
 * The rows of a kind, all of whose tables are in one file. When they have run, they are counted: by what came to its end, so that a
 * row is neither lost out of a table nor on its way from there.
 */
export function corpus(kind: Kind): Rows {
  const names = new Set<string>()
  const ran = new Set<string>()
  const modes = new Set<string>()
  afterAll(() => {
    // Of a run that is narrowed down to some rows (`-t`), nothing can be said.
    if (!modes.has('skip')) expect(ran.size, `rows of ${kind} that passed`).toBeGreaterThanOrEqual(AT_LEAST[kind])
  })
  return (title, table, check) => {
    for (const row of table) {
      const name = `${title}: ${nameOf(row)}`
      if (names.has(name)) throw new Error(`the same row twice: ${name}`)
      names.add(name)
      it(name, async ({ task }) => {
        await check(row)
        ran.add(name)
        if (ran.size === 1) for (const { mode } of task.file.tasks) modes.add(mode)
      })
    }
  }
}

function nameOf(row: Row): string {
  const name = typeof row === 'string' ? JSON.stringify(row) : row[0]
  return name.length > 120 ? `${name.slice(0, 100)}… (${name.length} characters)` : name
}
