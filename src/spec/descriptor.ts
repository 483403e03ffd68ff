import type { Digest } from './digest.ts'

/**
 * Wire form of OCI `v1.Descriptor`.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
 */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly urls?: readonly string[]
  readonly platform?: Platform
}

/** @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md */
export interface Platform {
  readonly architecture: string
  readonly os: string
  readonly variant?: string
}
