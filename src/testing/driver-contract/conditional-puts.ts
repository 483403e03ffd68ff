import assert from 'node:assert/strict'
import { PreconditionFailedError, type StorageDriver } from '../../storage/driver.ts'
import { assertContent, type ContractContext, text } from './context.ts'

const isPreconditionFailed = (error: unknown) => error instanceof PreconditionFailedError && error.key === 'c/key'

export function testConditionalPuts(context: ContractContext): void {
  const { create, reopen, tornConditions } = context
  const { describe, it } = context.runner

  describe('ifVersion, where the driver has it', () => {
    it('writes null only where nothing is', async () => {
      const driver = await create()
      if (!(await driver.conditionalPuts())) return
      await driver.put('c/key', text('first'), { ifVersion: null })
      await assert.rejects(driver.put('c/key', text('second'), { ifVersion: null }), isPreconditionFailed)
      await assertContent(driver, 'c/key', text('first'))
      await driver.delete('c/key')
      await driver.put('c/key', text('third'), { ifVersion: null })
      await assertContent(driver, 'c/key', text('third'))
    })

    it('writes over the version it names, and over no other', async () => {
      const driver = await create()
      if (!(await driver.conditionalPuts())) return
      await driver.put('c/key', text('v1'))
      const old = await versionOf(driver)
      await driver.put('c/key', text('v2'), { ifVersion: old })
      await assertContent(driver, 'c/key', text('v2'))
      await assert.rejects(driver.put('c/key', text('v3'), { ifVersion: old }), isPreconditionFailed)
      await assertContent(driver, 'c/key', text('v2'))
      const current = await versionOf(driver)
      await driver.delete('c/key')
      await assert.rejects(driver.put('c/key', text('v4'), { ifVersion: current }), isPreconditionFailed)
      assert.equal(await driver.stat('c/key'), undefined)
    })

    it('deletes the version it names, and no other', async () => {
      const driver = await create()
      if (!(await driver.conditionalPuts())) return
      await driver.put('c/key', text('v1'))
      await driver.put('c/key2', text('beside it'))
      const old = await versionOf(driver)
      await driver.put('c/key', text('v2'))
      await assert.rejects(driver.delete('c/key', { ifVersion: old }), isPreconditionFailed)
      await assertContent(driver, 'c/key', text('v2'))
      const current = await versionOf(driver)
      await driver.delete('c/key', { ifVersion: current })
      assert.equal(await driver.stat('c/key'), undefined)
      await assert.rejects(driver.delete('c/key', { ifVersion: current }), isPreconditionFailed)
      await assertContent(await reopen(driver), 'c/key2', text('beside it'))
    })

    const atomicPuts = !tornConditions.includes('put')
    const atomicDeletes = !tornConditions.includes('delete')

    if (atomicPuts && atomicDeletes)
      it('lets one of a delete and a put win, over one version', async () => {
        const driver = await create()
        if (!(await driver.conditionalPuts())) return
        const other = await reopen(driver)
        for (let round = 0; round < 10; round++) {
          await driver.put('c/key', text(`${round}`))
          const ifVersion = await versionOf(driver)
          const [deleted, written] = await Promise.allSettled([
            driver.delete('c/key', { ifVersion }),
            other.put('c/key', text('moved'), { ifVersion }),
          ])
          const outcomes = [deleted, written].map(({ status }) => status).sort()
          assert.deepEqual(outcomes, ['fulfilled', 'rejected'], `outcomes of round ${round}`)
          if (written.status === 'fulfilled') await assertContent(driver, 'c/key', text('moved'))
          else assert.equal(await driver.stat('c/key'), undefined)
        }
      })

    if (atomicPuts)
      it('lets one of sixteen win, over nothing and over a version', async () => {
        const driver = await create()
        if (!(await driver.conditionalPuts())) return
        const drivers = [driver, await reopen(driver), await reopen(driver), await reopen(driver)]
        for (let round = 0; round < 10; round++) {
          const expected = (await driver.stat('c/key'))?.version ?? null
          const results = await Promise.allSettled(
            Array.from({ length: 16 }, (_, index) =>
              (drivers[index % 4] ?? driver).put('c/key', text(`${round}-${index}`), { ifVersion: expected }),
            ),
          )
          const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []))
          assert.equal(winners.length, 1, `winners of round ${round}`)
          await assertContent(driver, 'c/key', text(`${round}-${winners[0]}`))
          for (const result of results) {
            // Thrown as it is: another error explains itself better than an assertion.
            if (result.status === 'rejected' && !isPreconditionFailed(result.reason)) throw result.reason
          }
        }
      })

    if (atomicPuts)
      it('counts right when eight add to one number', async () => {
        const driver = await create()
        if (!(await driver.conditionalPuts())) return
        await driver.put('c/key', text('0'))
        const count = async (own: StorageDriver) => {
          for (let added = 0; added < 5; ) {
            const { stat, content } = await own.get('c/key')
            const next = Number(Buffer.from(content).toString()) + 1
            try {
              await own.put('c/key', text(String(next)), stat.version === undefined ? {} : { ifVersion: stat.version })
              added++
            } catch (error) {
              if (!(error instanceof PreconditionFailedError)) throw error
            }
          }
        }
        const drivers = [driver, await reopen(driver), driver, await reopen(driver)]
        await Promise.all([...drivers, ...drivers].map(count))
        await assertContent(driver, 'c/key', text('40'))
      })
  })
}

async function versionOf(driver: StorageDriver): Promise<string> {
  const version = (await driver.stat('c/key'))?.version
  assert.ok(version, 'a driver with conditional puts tells versions')
  return version
}
