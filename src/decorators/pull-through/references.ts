import type { Manifest } from '../../backend.ts'
import type { Digest } from '../../spec/digest.ts'
import { parseManifest } from '../../spec/manifest.ts'
import { scanDigests } from '../../spec/scan-digests.ts'

/** What a manifest cannot be pulled without; its subject can be missing. Of one that we do not understand, every digest in it. */
export function needsOf({ content, descriptor }: Manifest): readonly Digest[] {
  try {
    const { kind, config, layers, manifests } = parseManifest(content, descriptor.mediaType)
    if (kind === 'opaque') return [...scanDigests(content)]
    return [...(config ? [config] : []), ...layers, ...manifests].map(({ digest }) => digest)
  } catch {
    return [...scanDigests(content)]
  }
}
