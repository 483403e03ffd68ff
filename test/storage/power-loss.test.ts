import { describe, expect, it } from 'vitest'
import { filesystem } from '../../src/drivers/filesystem.ts'
import { RegistryError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { Registry } from '../../src/registry.ts'
import type { Descriptor } from '../../src/spec/descriptor.ts'
import { type Digest, digestOf } from '../../src/spec/digest.ts'
import { MEDIA_TYPES } from '../../src/spec/media-types.ts'
import { bytes, collect, json, readBlob } from '../support/images.ts'
import { type PowerLoss, powerLosses } from '../support/power-loss.ts'
import { diskWith, type SimulatedDisk } from '../support/simulated-disk.ts'

type Promised =
  | { readonly type: 'blob'; readonly name: string; readonly content: string }
  | { readonly type: 'manifest'; readonly name: string; readonly digest: Digest; readonly subject?: Digest }
  /** The tag may point there from now on (`undefined`: nowhere). */
  | { readonly type: 'tagging' | 'tagged'; readonly name: string; readonly tag: string; readonly digest?: Digest }
  | { readonly type: 'received'; readonly name: string; readonly upload: string; readonly size: number }
  | { readonly type: 'committing'; readonly upload: string }

function registryOn(disk: SimulatedDisk): Registry {
  return new Registry({ storage: filesystem('/disk', { fs: disk, logger: silentLogger }), logger: silentLogger })
}

/** What a client does in a push, and a few things that follow; notes in the disk's journal what was acknowledged when. */
async function pushes(disk: SimulatedDisk): Promise<void> {
  const registry = registryOn(disk)
  const note = (promised: Promised) => disk.mark(promised)
  const app = registry.repository('team/app')

  const blob = async (content: string): Promise<Descriptor> => {
    const stored = await app.blobs.put(bytes(content))
    note({ type: 'blob', name: 'team/app', content })
    return stored
  }
  const manifest = async (name: string, fields: object, tags: readonly string[], subject?: Descriptor) => {
    const content = json({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      ...fields,
      ...(subject && { subject }),
    })
    const digest = digestOf(content)
    for (const tag of tags) note({ type: 'tagging', name, tag, digest })
    await registry.repository(name).manifests.put(content, { mediaType: MEDIA_TYPES.ociManifest, tags })
    note({ type: 'manifest', name, digest, ...(subject && { subject: subject.digest }) })
    for (const tag of tags) note({ type: 'tagged', name, tag, digest })
    return { mediaType: MEDIA_TYPES.ociManifest, digest, size: content.byteLength }
  }

  const [config, base] = await Promise.all([blob('{"first":1}'), blob('base layer')])
  const upload = await app.blobs.startUpload()
  for (const piece of ['a layer ', 'in pieces']) {
    const size = await upload.append(bytes(piece))
    note({ type: 'received', name: 'team/app', upload: upload.id, size })
  }
  note({ type: 'committing', upload: upload.id })
  const top = await upload.commit(digestOf(bytes('a layer in pieces')))
  note({ type: 'blob', name: 'team/app', content: 'a layer in pieces' })
  const image = await manifest('team/app', { config, layers: [base, top] }, ['v1', 'latest'])

  await registry.repository('team/other').blobs.mount(base.digest, 'team/app')
  note({ type: 'blob', name: 'team/other', content: 'base layer' })
  const second = await blob('{"second":1}')
  await manifest('team/app', { config: second, layers: [base] }, ['latest'])
  await manifest('team/app', { config: second, layers: [] }, [], image)
  note({ type: 'tagging', name: 'team/app', tag: 'v1' })
  await app.tags.delete('v1')
  note({ type: 'tagged', name: 'team/app', tag: 'v1' })
  await registry.close()
}

/** What is wrong after a power loss; empty when everything that was acknowledged is there. */
async function broken({ disk, marks }: PowerLoss): Promise<string[]> {
  const registry = registryOn(disk)
  const promises = marks as readonly Promised[]
  const problems: string[] = []
  const check = async (what: string, look: () => Promise<boolean>) => {
    const kept = await look().catch((error: Error) => `${error.message}`)
    if (kept !== true) problems.push(`${what}: ${kept}`)
  }
  const committing = new Set(promises.flatMap((one) => (one.type === 'committing' ? [one.upload] : [])))
  for (const one of promises) {
    const repository = 'name' in one ? registry.repository(one.name) : undefined
    if (one.type === 'blob') {
      await check(`blob ${one.content}`, async () => {
        return repository !== undefined && (await readBlob(repository, digestOf(bytes(one.content)))) === one.content
      })
    } else if (one.type === 'manifest') {
      await check(`manifest ${one.digest}`, async () => {
        const { content } = (await repository?.manifests.get(one.digest)) ?? {}
        if (content === undefined || digestOf(content) !== one.digest) return false
        if (one.subject === undefined || repository === undefined) return true
        return (await collect(repository.manifests.referrers(one.subject))).some(({ digest }) => digest === one.digest)
      })
    } else if (one.type === 'received' && !committing.has(one.upload)) {
      await check(`upload of ${one.size} bytes`, async () => {
        return ((await repository?.blobs.resumeUpload(one.upload))?.offset ?? 0) >= one.size
      })
    }
  }
  for (const [tag, allowed] of allowedTargets(promises)) {
    const found = await registry
      .repository('team/app')
      .tags.resolve(tag)
      .catch((error: unknown) => {
        if (RegistryError.is(error, 'MANIFEST_UNKNOWN')) return undefined
        throw error
      })
    if (!allowed.has(found)) problems.push(`tag ${tag} points to ${found}`)
    // Whatever a tag points to must be there: a tag that moved must not have moved to nothing.
    if (found !== undefined)
      await check(`tag ${tag}`, async () => !!(await registry.repository('team/app').manifests.get(tag)))
  }
  for await (const digest of registry.repository('team/app').blobs.list()) {
    const content = await readBlob(registry.repository('team/app'), digest).catch((error: unknown) => {
      if (RegistryError.is(error, 'BLOB_UNKNOWN')) return undefined // a link whose data never came to be is no blob
      throw error
    })
    if (content !== undefined && digestOf(bytes(content)) !== digest) problems.push(`partial blob ${digest}`)
  }
  await registry.close()
  return problems
}

function allowedTargets(promises: readonly Promised[]): Map<string, Set<Digest | undefined>> {
  const allowed = new Map<string, Set<Digest | undefined>>()
  for (const one of promises) {
    if (one.type === 'tagging') allowed.set(one.tag, (allowed.get(one.tag) ?? new Set([undefined])).add(one.digest))
    if (one.type === 'tagged') allowed.set(one.tag, new Set([one.digest]))
  }
  return allowed
}

/** Random parts of what was not synced, per cut point. CI and developers take few, `npm run soak` many. */
const SAMPLES = process.env.WHARFAGE_SOAK === 'large' ? 20 : 2

describe('a power loss in the middle of a push', () => {
  it('takes nothing that was acknowledged', async () => {
    const disk = diskWith('/disk')
    await pushes(disk)
    let checked = 0
    for (const loss of powerLosses(disk, SAMPLES)) {
      expect(await broken(loss), loss.label).toEqual([])
      checked++
    }
    expect(checked).toBeGreaterThan(500)
  }, 120_000)

  it.each(['files', 'directories'] as const)('would be noticed if syncs of %s did nothing', async (forget) => {
    const disk = diskWith('/disk', { forget })
    await pushes(disk)
    const [whole] = disk.cuts().slice(-1)
    const problems = await broken({
      label: 'end',
      disk: disk.cutAt(whole ?? 0, () => 'lost'),
      marks: disk.marks(whole ?? 0),
    })
    expect(problems.length).toBeGreaterThan(5)
  })
})
