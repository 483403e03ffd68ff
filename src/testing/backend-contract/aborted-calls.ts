import { digestOf } from '../../spec/digest.ts'
import { assertBlob, assertCode, assertNoBlob, assertRejectsFor, type ContractContext } from './context.ts'
import { push } from './images.ts'
import { assertManifest } from './manifests.ts'
import { ASKED_ABOUT, QUESTIONS } from './questions.ts'

export function testAbortedCalls(context: ContractContext): void {
  const { create, has } = context
  context.runner.describe('a call whose signal has aborted', () => {
    for (const [name, { needs, ask }] of Object.entries(QUESTIONS)) {
      if (!needs.every(has)) continue
      context.runner.it(`rejects with the reason, and changes nothing: ${name}`, async () => {
        const { backend, repository, seed } = await create()
        const { blob, manifest, tag, unwritten } = ASKED_ABOUT
        await seed.blobs.put(blob)
        await push(context, seed, manifest, [tag])
        const reason = new Error('no longer wanted')
        await assertRejectsFor(ask({ backend, signal: AbortSignal.abort(reason) }), reason)
        await assertBlob(repository, digestOf(blob), blob)
        await assertManifest(repository, manifest, [tag, manifest.digest])
        await assertNoBlob(context, repository, digestOf(unwritten))
        await assertCode(repository.tags.resolve('new'), 'MANIFEST_UNKNOWN')
      })
    }
  })
}
