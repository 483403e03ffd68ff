import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ADVISORIES } from './register.ts'

const TESTS = fileURLToPath(new URL('..', import.meta.url))

/** Titles of groups and of tests. */
async function titlesOf(file: string): Promise<string> {
  const text = await readFile(TESTS + file, 'utf8')
  return [...text.matchAll(/^\s*(?:(?:describe|it|rows)(?:\.each\([^\n]*\))?|\s*\]\))\(\s*(['"`])(.*?)\1/gms)]
    .map(([, , title]) => title)
    .join('\n')
}

describe('the register of advisories', () => {
  it.each(ADVISORIES.filter(({ notHere }) => notHere === undefined))(
    '$ids is named by a test',
    async ({ ids, tests }) => {
      expect(tests.length).toBeGreaterThan(0)
      for (const file of tests) {
        const titles = await titlesOf(file)
        for (const id of ids) {
          expect({ file, id, named: new RegExp(`(^|[\\s,])${id}\\b`, 'm').test(titles) }).toEqual({
            file,
            id,
            named: true,
          })
        }
      }
    },
  )

  it('names each once, and says of what is missing why', () => {
    const ids = ADVISORIES.flatMap((one) => one.ids)
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
    for (const { tests, notHere } of ADVISORIES) expect(tests.length > 0).toBe(notHere === undefined)
    expect(ids.length).toBeGreaterThanOrEqual(75)
  })
})
