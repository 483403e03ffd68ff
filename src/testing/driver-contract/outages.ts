import assert from 'node:assert/strict'
import { type StorageDriver, StorageUnavailableError } from '../../storage/driver.ts'
import { type ContractContext, text } from './context.ts'

/** Every question that absence could be the answer to, and some others. */
const QUESTIONS: Readonly<Record<string, (driver: StorageDriver) => Promise<unknown>>> = {
  get: (driver) => driver.get('a/b'),
  read: (driver) => driver.read('a/b'),
  'read of a range': (driver) => driver.read('a/b', { range: { start: 1, end: 2 } }),
  stat: (driver) => driver.stat('a/b'),
  list: (driver) => firstOf(driver.list('a')),
  'shallow list': (driver) => firstOf(driver.list('a', { shallow: true })),
  put: (driver) => driver.put('a/b', text('x')),
  delete: (driver) => driver.delete('a/b'),
  deletePrefix: (driver) => driver.deletePrefix('a'),
  resumeUpload: (driver) => driver.resumeUpload('a/_uploads/1/data'),
  'an upload': async (driver) => {
    const upload = await driver.createUpload('a/_uploads/1/data')
    await upload.append(text('x'))
    await upload.commit('a/b')
  },
  ping: async (driver) => {
    if (driver.ping === undefined) throw new StorageUnavailableError('not asked')
    await driver.ping()
  },
}

export function testOutages({ runner: { describe, it }, unavailable }: ContractContext): void {
  for (const [name, open] of Object.entries(unavailable)) {
    describe(`an outage (${name})`, () => {
      it('is said to be one, and is never the absence of what was asked for', async () => {
        const driver = await open()
        try {
          for (const [question, ask] of Object.entries(QUESTIONS)) {
            const answer: unknown = await ask(driver).then(
              () => 'an answer',
              (error: unknown) => error,
            )
            assert.ok(answer instanceof StorageUnavailableError, `${question}: ${String(answer)}`)
          }
        } finally {
          await driver.close?.()
        }
      })
    })
  }
}

async function firstOf(listing: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of listing) return
}
