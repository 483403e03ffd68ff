import assert from 'node:assert/strict'
import type { ExpectedTag, Repository } from '../../backend.ts'
import { RegistryError } from '../../errors.ts'
import { assertCode, assertPreconditionFailed, type ContractContext, collect } from './context.ts'
import { imageOf, type Pushed, pushImage, unknownDigest } from './images.ts'
import { assertManifest } from './manifests.ts'

/** The two ways to change a tag. */
const CHANGES: Readonly<
  Record<string, (repository: Repository, tag: string, to: Pushed, expected: ExpectedTag) => Promise<unknown>>
> = {
  'tags.set': ({ tags }, tag, { digest }, expected) => tags.set(tag, digest, { expected }),
  'manifests.put': ({ manifests }, tag, { content, mediaType }, expected) =>
    manifests.put(content, { mediaType, tags: [tag], expected }),
}

const ROUNDS = 4

export function testConditionalTags(context: ContractContext): void {
  const { has } = context
  for (const [name, change] of Object.entries(CHANGES)) {
    context.runner.describe(`${name} with expected`, () => {
      if (!has('conditional tags')) refuses(context, change)
      else {
        creates(context, change)
        if (has('move tags')) moves(context, change)
      }
    })
  }
  if (has('conditional tags') && has('move tags')) testSeveralTags(context)
}

type Change = (typeof CHANGES)[string]

function refuses(context: ContractContext, change: Change): void {
  context.runner.it('is refused, and sets no tag (lacks conditional tags)', async () => {
    const { repository } = await context.create()
    const image = await pushImage(context, repository, 'image', { tags: ['v1'] })
    for (const expected of [null, 'any', image.digest] as const) {
      await assertCode(change(repository, 'new', image, expected), 'UNSUPPORTED')
      await assertCode(repository.tags.resolve('new'), 'MANIFEST_UNKNOWN')
    }
  })
}

function creates(context: ContractContext, change: Change): void {
  const { create, reopen } = context
  const { it } = context.runner

  it('null sets a tag only where there is none', async () => {
    const { repository } = await create()
    const first = await pushImage(context, repository, 'first', { tags: ['v1'] })
    const second = await pushImage(context, repository, 'second', { tags: ['v2'] })
    await change(repository, 'new', first, null)
    await assertManifest(repository, first, ['new'])
    await assertCode(change(repository, 'new', second, null), 'DENIED')
    await assertManifest(repository, first, ['new'])
    assert.deepEqual(await collect(repository.tags.list()), ['new', 'v1', 'v2'])
  })

  it('a digest, and any, set no tag where there is none', async () => {
    const { repository } = await create()
    const image = await pushImage(context, repository, 'image', { tags: ['v1'] })
    for (const expected of ['any', image.digest, unknownDigest()] as const) {
      await assertPreconditionFailed(change(repository, 'new', image, expected))
      await assertCode(repository.tags.resolve('new'), 'MANIFEST_UNKNOWN')
    }
    assert.deepEqual(await collect(repository.tags.list()), ['v1'])
  })

  it('lets one of sixteen create a tag', async () => {
    const { backend, repository } = await create()
    const repositories = [repository, (await reopen(backend)).repository(repository.name)]
    const images: Pushed[] = []
    for (let i = 0; i < 16; i++) images.push(await pushImage(context, repository, `racer ${i}`, { tags: [`r${i}`] }))
    for (let round = 0; round < ROUNDS; round++) {
      await assertOneWins(repository, `v${round}`, images, (image, i) =>
        change(repositories[i % 2] ?? repository, `v${round}`, image, null),
      )
    }
  })
}

function moves(context: ContractContext, change: Change): void {
  const { create, reopen } = context
  const { it } = context.runner

  it('a digest moves a tag that points there, and no other', async () => {
    const { repository } = await create()
    const first = await pushImage(context, repository, 'first', { tags: ['latest', 'v1'] })
    const second = await pushImage(context, repository, 'second', { tags: ['v2'] })
    for (const expected of [second.digest, unknownDigest(), null]) {
      await assertPreconditionFailed(change(repository, 'latest', second, expected))
      await assertManifest(repository, first, ['latest'])
    }
    await change(repository, 'latest', second, first.digest)
    await assertManifest(repository, second, ['latest'])
    await assertPreconditionFailed(change(repository, 'latest', first, first.digest))
    await assertManifest(repository, second, ['latest'])
  })

  it('any moves a tag, wherever it points', async () => {
    const { repository } = await create()
    const first = await pushImage(context, repository, 'first', { tags: ['latest', 'v1'] })
    const second = await pushImage(context, repository, 'second', { tags: ['v2'] })
    for (const image of [second, first, first]) {
      await change(repository, 'latest', image, 'any')
      await assertManifest(repository, image, ['latest'])
    }
  })

  it('lets one of sixteen move a tag', async () => {
    const { backend, repository } = await create()
    const repositories = [repository, (await reopen(backend)).repository(repository.name)]
    const images: Pushed[] = []
    for (let i = 0; i < 16; i++) images.push(await pushImage(context, repository, `racer ${i}`, { tags: [`r${i}`] }))
    let { digest } = await pushImage(context, repository, 'start', { tags: ['latest'] })
    for (let round = 0; round < ROUNDS; round++) {
      const others = images.filter((image) => image.digest !== digest)
      const winner = await assertOneWins(repository, 'latest', others, (image, i) =>
        change(repositories[i % 2] ?? repository, 'latest', image, digest),
      )
      digest = winner.digest
    }
  })
}

function testSeveralTags(context: ContractContext): void {
  const { describe, it } = context.runner
  describe('manifests.put with expected and several tags', () => {
    it('moves none of them when one is not where it was expected', async () => {
      const { repository } = await context.create()
      const first = await pushImage(context, repository, 'first', { tags: ['a', 'b'] })
      const second = await pushImage(context, repository, 'second', { tags: ['c'] })
      const { content, mediaType } = await imageOf(repository, 'third')
      for (const tags of [
        ['a', 'b', 'c'],
        ['c', 'a'],
        ['a', 'new'],
      ]) {
        await assertPreconditionFailed(repository.manifests.put(content, { mediaType, tags, expected: first.digest }))
        await assertManifest(repository, first, ['a', 'b'])
        await assertManifest(repository, second, ['c'])
        await assertCode(repository.tags.resolve('new'), 'MANIFEST_UNKNOWN')
      }
      await repository.manifests.put(second.content, { mediaType, tags: ['a', 'b'], expected: first.digest })
      await assertManifest(repository, second, ['a', 'b', 'c'])
    })
  })
}

/** Of many who change a tag at once, one succeeds, and the tag is where that one put it; all others are told why. */
async function assertOneWins(
  repository: Repository,
  tag: string,
  images: readonly Pushed[],
  change: (image: Pushed, index: number) => Promise<unknown>,
): Promise<Pushed> {
  const results = await Promise.allSettled(images.map(change))
  // Thrown as it is: another error explains itself better than an assertion.
  for (const result of results) {
    if (result.status === 'rejected' && !RegistryError.is(result.reason, 'DENIED')) throw result.reason
  }
  const [winner, ...more] = images.filter((_, i) => results[i]?.status === 'fulfilled')
  assert.ok(winner !== undefined && more.length === 0, `${winner === undefined ? 0 : 1 + more.length} won`)
  assert.equal(await repository.tags.resolve(tag), winner.digest)
  return winner
}
