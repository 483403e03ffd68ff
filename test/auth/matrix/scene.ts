import { memory } from '../../../src/drivers/memory.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Registry } from '../../../src/registry.ts'
import { type Digest, digestOf } from '../../../src/spec/digest.ts'
import { bytes, pushImage } from '../../support/images.ts'

/** What requests name, the same whether it is there or not. */
export interface Scene {
  readonly registry: Registry
  readonly repository: string
  readonly manifest: (reference: string) => string
  readonly digest: Digest
  readonly content: Uint8Array
  readonly blob: string
  readonly layer: Content
  /** In no registry yet. */
  readonly fresh: Content
  readonly referrers: string
  readonly uploads: string
  readonly upload: string
}

interface Content {
  readonly content: Uint8Array
  readonly digest: Digest
}

export const NAME = 'team/app'

/** Of a blob that is in `other/app` alone. */
export const OTHER_BLOB: Digest = contentOf('elsewhere').digest

/** An image in `team/app`, another in `other/app`. */
export async function filled(): Promise<Registry> {
  const registry = empty()
  await pushImage(registry.repository(NAME), ['layer'], { tags: ['v1'] })
  await pushImage(registry.repository('other/app'), ['elsewhere'], { tags: ['v1'] })
  return registry
}

export function empty(): Registry {
  return new Registry({ storage: memory(), logger: silentLogger })
}

/** The image of {@link filled}, pushed once to learn what it is called. */
const { digest, content } = await pushImage(empty().repository(NAME), ['layer'])

/** @param upload - path of an upload, begun by whoever is to ask about it */
export function sceneOf(registry: Registry, upload: string): Scene {
  const layer = contentOf('layer')
  const repository = `/v2/${NAME}`
  return {
    registry,
    repository,
    digest,
    content,
    layer,
    fresh: contentOf('fresh'),
    manifest: (reference) => `${repository}/manifests/${reference}`,
    blob: `${repository}/blobs/${layer.digest}`,
    referrers: `${repository}/referrers/${digest}`,
    uploads: `${repository}/blobs/uploads/`,
    upload,
  }
}

function contentOf(text: string): Content {
  const content = bytes(text)
  return { content, digest: digestOf(content) }
}
