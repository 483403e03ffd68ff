import assert from 'node:assert/strict'
import { RegistryError } from '../../errors.ts'
import { assertCode, assertNoBlob, type ContractContext, collect } from './context.ts'
import { unknownDigest } from './images.ts'

const VALID_NAMES = [
  'a',
  '0',
  'team/app',
  'team/app/nested',
  'a.b',
  'a_b',
  'a__b',
  'a-b',
  'a---b',
  'a.b-c/d_e/0',
  'library/nginx',
]

const INVALID_NAMES = [
  '',
  '/',
  'A',
  'team/App',
  '/team',
  'team/',
  'team//app',
  '.',
  '..',
  'team/../app',
  '.team',
  'team-',
  '_uploads',
  'a..b',
  'a___b',
  'a._b',
  'team app',
  'team:app',
  'team@app',
  'team\\app',
  'team%2fapp',
  'tëam',
  'a\0b',
  'a\n',
  'a'.repeat(256),
]

export function testNames(context: ContractContext): void {
  const { create, has } = context
  const { describe, it } = context.runner

  describe('repository', () => {
    it('takes every name of a repository, and answers with it', async () => {
      const { backend } = await create()
      for (const name of VALID_NAMES) assert.equal(backend.repository(name).name, name)
    })

    it('refuses what is none with NAME_INVALID, at once', async () => {
      const { backend } = await create()
      for (const name of INVALID_NAMES) {
        assert.throws(
          () => backend.repository(name),
          (error) => RegistryError.is(error, 'NAME_INVALID'),
          JSON.stringify(name),
        )
      }
    })

    it('need not exist: then nothing is in it', async () => {
      const { repository } = await create()
      await assertNoBlob(context, repository, unknownDigest())
      for (const reference of ['latest', 'not a tag!', unknownDigest()]) {
        await assertCode(repository.manifests.stat(reference), 'MANIFEST_UNKNOWN')
        await assertCode(repository.manifests.get(reference), 'MANIFEST_UNKNOWN')
      }
      await assertCode(repository.tags.resolve('latest'), 'MANIFEST_UNKNOWN')
      await assertCode(collect(repository.tags.list()), 'NAME_UNKNOWN')
      await assertCode(collect(repository.tags.list({ after: 'a', limit: 1 })), 'NAME_UNKNOWN')
      assert.deepEqual(await collect(repository.manifests.referrers(unknownDigest())), [])
      if (has('blob list')) assert.deepEqual(await collect(repository.blobs.list()), [])
      if (has('manifest list')) assert.deepEqual(await collect(repository.manifests.list()), [])
    })
  })
}
