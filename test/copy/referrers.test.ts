import { describe, expect, it } from 'vitest'
import { decorate, type Repository } from '../../src/backend.ts'
import { copy } from '../../src/copy.ts'
import { hexOf } from '../../src/spec/digest.ts'
import { collect, pushImage } from '../support/images.ts'
import { childOf, holdings, overlay, platform, pushIndex, testRegistry } from './support.ts'

/** An index of one image; a signature of the index, an SBOM of the image, and a signature of the SBOM. */
async function pushSigned(repository: Repository) {
  const image = await pushImage(repository, ['one'])
  const index = await pushIndex(repository, [childOf(image, platform('linux/amd64'))], { tags: ['v1'] })
  const { content: _, ...indexDescriptor } = index
  const signature = await pushImage(repository, ['signature'], { subject: indexDescriptor })
  const sbom = await pushImage(repository, ['sbom'], { subject: childOf(image), artifactType: 'application/spdx+json' })
  const signedSbom = await pushImage(repository, ['signature of the sbom'], { subject: childOf(sbom) })
  return { image, index, signature, sbom, signedSbom }
}

describe('copy with referrers', () => {
  it('brings what is attached to an index, to its children, and to what is attached', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { image, index, sbom } = await pushSigned(from.repository('a'))
    await copy(from, to, { referrers: true })
    expect(await holdings(to.repository('a'))).toEqual(await holdings(from.repository('a')))
    for (const { digest } of [image, index, sbom]) {
      expect(await collect(to.repository('a').manifests.referrers(digest))).toEqual(
        await collect(from.repository('a').manifests.referrers(digest)),
      )
    }
  })

  it('brings nothing of it unless asked', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { image, index } = await pushSigned(from.repository('a'))
    await copy(from, to)
    expect((await holdings(to.repository('a'))).manifests).toEqual([image.digest, index.digest].sort())
  })

  it('brings it to an image that was copied without before', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    await pushSigned(from.repository('a'))
    await copy(from, to)
    expect((await copy(from, to, { referrers: true })).manifests).toEqual({ written: 3, skipped: 2 })
  })

  it('leaves out what is attached to an index that another one takes the place of', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const repository = from.repository('a')
    const [one, two] = [await pushImage(repository, ['one']), await pushImage(repository, ['two'])]
    const { content: _, ...index } = await pushIndex(
      repository,
      [childOf(one, platform('linux/amd64')), childOf(two, platform('linux/arm64'))],
      { tags: ['v1'] },
    )
    const ofIndex = await pushImage(repository, ['signature'], { subject: index })
    const ofOne = await pushImage(repository, ['sbom'], { subject: childOf(one) })
    await copy(from, to, { referrers: true, platforms: ['linux/amd64'], index: 'narrow' })
    const { manifests } = await holdings(to.repository('a'))
    expect(manifests).toContain(ofOne.digest)
    expect(manifests).not.toContain(ofIndex.digest)
  })
})

describe('copy with what older conventions tag', () => {
  async function pushTagged(repository: Repository) {
    const image = await pushImage(repository, ['one'], { tags: ['v1'] })
    const base = `sha256-${hexOf(image.digest)}`
    for (const suffix of ['.sig', '.att', '.sbom']) await pushImage(repository, [suffix], { tags: [base + suffix] })
    const artifact = await pushImage(repository, ['artifact'], { subject: childOf(image) })
    await pushIndex(repository, [childOf(artifact)], { tags: [base] })
    await pushImage(repository, ['unrelated'], { tags: [`sha256-${'0'.repeat(64)}.sig`, 'latest'] })
    return { image, base, artifact }
  }

  it.each([true, false])('brings the tags of an image along, and those alone (all listed: %s)', async (listed) => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { image, base, artifact } = await pushTagged(from.repository('a'))
    const repository = from.repository('a')
    const source = { backend: from, repository: 'a', ...(!listed && { reference: 'v1' }) }
    const { images } = await copy(source, to, { referrers: true, ...(listed && { tags: 'v1' }) })
    expect((await holdings(to.repository('a'))).tags).toEqual([
      base,
      `${base}.att`,
      `${base}.sbom`,
      `${base}.sig`,
      'v1',
    ])
    expect((await holdings(to.repository('a'))).manifests).toContain(artifact.digest)
    expect(images.find(({ tags }) => tags.includes('v1'))?.digest).toBe(image.digest)
    expect(await to.repository('a').tags.resolve(`${base}.sig`)).toBe(await repository.tags.resolve(`${base}.sig`))
  })

  it('leaves an index of referrers that the target has of its own', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { base } = await pushTagged(from.repository('a'))
    const { digest } = await pushIndex(to.repository('a'), [childOf(await pushImage(to.repository('a'), ['own']))], {
      tags: [base],
    })
    await copy(from, to, { referrers: true })
    expect(await to.repository('a').tags.resolve(base)).toBe(digest)
    expect(await to.repository('a').tags.resolve(`${base}.sig`)).toMatch(/^sha256:/)
  })

  it('leaves the index that the target makes when a referrer is put there', async () => {
    const { registry: from } = testRegistry()
    const { registry: to } = testRegistry()
    const { base, artifact } = await pushTagged(from.repository('a'))
    let own: string | undefined
    const target = decorate(to, {
      manifests: (manifests, { tags, ...repository }) =>
        overlay(manifests, {
          put: async (content, options) => {
            const descriptor = await manifests.put(content, options)
            if (descriptor.digest === artifact.digest) {
              own = (await pushIndex({ ...repository, manifests, tags }, [descriptor, descriptor], { tags: [base] }))
                .digest
            }
            return descriptor
          },
        }),
    })
    await copy(from, target, { referrers: true })
    expect(await to.repository('a').tags.resolve(base)).toBe(own)
  })
})
