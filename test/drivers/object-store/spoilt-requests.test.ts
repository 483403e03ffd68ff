import { expect, it } from 'vitest'
import { type StorageDriver, StorageUnavailableError } from '../../../src/storage/driver.ts'
import { seededBytes } from '../../../src/testing/seeded.ts'
import { describeOn, fakeGCSServer } from '../../support/servers/index.ts'
import { SPOILT, SpoilingProxy } from '../../support/spoiling-proxy.ts'
import { STORES } from './stores.ts'

const FOLDER = 'a/_uploads/1'
const STAGED = `${FOLDER}/data`
/** More than a part: 8 MiB. */
const LARGE = Buffer.from(seededBytes(8_400_000, 21))
const SMALL = Buffer.from(seededBytes(50_000, 22))

interface Flow {
  /** Whether an outage is as good as what it was to do: nothing has to come true that is only asked for. */
  readonly mayFail?: boolean
  prepare?(driver: StorageDriver): Promise<void>
  run(driver: StorageDriver): Promise<void>
  /** What is there afterwards, and nothing else. */
  readonly expected: Readonly<Record<string, Buffer>>
}

const before = async (driver: StorageDriver) => driver.put('a/key', Buffer.from('before'))
const versionOf = async (driver: StorageDriver) => (await driver.stat('a/key'))?.version ?? ''

const FLOWS: Record<string, Flow> = {
  'a put': {
    run: (driver) => driver.put('a/key', Buffer.from('after')),
    expected: { 'a/key': Buffer.from('after') },
  },
  'a put of what must be absent': {
    run: (driver) => driver.put('a/key', Buffer.from('after'), { ifVersion: null }),
    expected: { 'a/key': Buffer.from('after') },
  },
  'a put over a version': {
    prepare: before,
    run: async (driver) => driver.put('a/key', Buffer.from('after'), { ifVersion: await versionOf(driver) }),
    expected: { 'a/key': Buffer.from('after') },
  },
  'a delete': { prepare: before, run: (driver) => driver.delete('a/key'), expected: {} },
  'a delete of a version': {
    prepare: before,
    run: async (driver) => driver.delete('a/key', { ifVersion: await versionOf(driver) }),
    expected: {},
  },
  'a get': {
    mayFail: true,
    prepare: before,
    run: async (driver) => expect(Buffer.from((await driver.get('a/key')).content).toString()).toBe('before'),
    expected: { 'a/key': Buffer.from('before') },
  },
  'a listing': {
    mayFail: true,
    prepare: before,
    run: async (driver) => {
      const keys: string[] = []
      for await (const { key } of driver.list('a')) keys.push(key)
      expect(keys).toEqual(['a/key'])
    },
    expected: { 'a/key': Buffer.from('before') },
  },
  'a large upload of which the digest is known': {
    run: async (driver) => {
      const upload = await driver.createUpload(STAGED)
      await upload.append(LARGE, { durable: false, target: 'a/blob' })
      await upload.commit('a/blob')
      await upload.discard()
    },
    expected: { 'a/blob': LARGE },
  },
  'an upload in chunks': {
    run: async (driver) => {
      const first = await driver.createUpload(STAGED)
      await first.append(LARGE)
      await first[Symbol.asyncDispose]()
      const second = await driver.resumeUpload(STAGED)
      await second.append(SMALL)
      await second.commit('a/blob')
      await second.discard()
    },
    expected: { 'a/blob': Buffer.concat([LARGE, SMALL]) },
  },
}

// Google's SDK waits seconds before it tries again, so its store is opened without that: nothing would come true.
const RETRYING = STORES.filter(({ server }) => server !== fakeGCSServer)

for (const { server, open } of RETRYING) {
  describeOn(server, 'a request that is spoilt', (running) => {
    for (const [name, { prepare, run, expected, mayFail }] of Object.entries(FLOWS)) {
      it.each(SPOILT)(`does no harm to ${name}: %s`, { timeout: 120_000 }, async (how) => {
        let struck: string | undefined
        let at = 0
        do {
          const bucket = await running().createBucket()
          const direct = open(running(), bucket)
          await prepare?.(direct)
          const proxy = await SpoilingProxy.start(running().endpoint, ++at, how)
          const driver = open(running(), bucket, proxy.endpoint)
          try {
            await run(driver)
          } catch (error) {
            if (!(mayFail && error instanceof StorageUnavailableError))
              throw new Error(`request ${at} of ${name}, ${how}: ${proxy.struck}`, { cause: error })
          } finally {
            await driver.close?.()
            await proxy.stop()
          }
          struck = proxy.struck
          expect(await running().keys(bucket), struck).toEqual(Object.keys(expected))
          for (const [key, content] of Object.entries(expected)) {
            expect(content.equals((await direct.get(key)).content), `${struck}: ${key}`).toBe(true)
          }
          // Of one that was begun, and its name lost on the way, nobody can say that it is not wanted.
          const begun = /^POST .*[?&]uploads/.test(struck ?? '') ? 1 : 0
          expect((await running().unfinished(bucket)).length, struck).toBeLessThanOrEqual(begun)
          await direct.close?.()
        } while (struck !== undefined)
        expect(at).toBeGreaterThan(1)
      })
    }

    it('breaks off a read, and never ends it early', async () => {
      const bucket = await running().createBucket()
      const direct = open(running(), bucket)
      await direct.put('a/key', LARGE)
      const proxy = await SpoilingProxy.start(running().endpoint, 1, 'cut')
      const driver = open(running(), bucket, proxy.endpoint)
      const { body } = await driver.read('a/key')
      let size = 0
      const readAll = async () => {
        for await (const chunk of body.stream()) size += chunk.length
      }
      const ended = await readAll().then(
        () => 'ended',
        () => 'broke off',
      )
      expect([ended, size === LARGE.length]).toEqual(size === LARGE.length ? ['ended', true] : ['broke off', false])
      await driver.close?.()
      await direct.close?.()
      await proxy.stop()
    })
  })
}
