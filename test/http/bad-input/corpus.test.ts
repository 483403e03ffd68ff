import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AT_LEAST } from './corpus.ts'

const DIRECTORY = new URL('.', import.meta.url)

describe('the corpus of bad input', () => {
  it('has 1,280 rows and more', () => {
    const total = Object.values(AT_LEAST).reduce((sum: number, count) => sum + count, 0)
    expect(total).toBeGreaterThanOrEqual(1_280)
  })

  // Each of these files counts its own rows, once they have run.
  it('has one file per kind', () => {
    const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.test.ts') && file !== 'corpus.test.ts')
    expect(files.sort()).toEqual(
      Object.keys(AT_LEAST)
        .map((kind) => `${kind}.test.ts`)
        .sort(),
    )
    for (const file of files) {
      const kind = file.replace('.test.ts', '')
      expect(readFileSync(new URL(file, DIRECTORY), 'utf8')).toContain(`= corpus('${kind}')`)
    }
  })
})
