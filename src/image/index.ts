// Reading images, and building them.

export { choosePlatform, formatPlatform, type PlatformName, parsePlatform } from '../spec/platform.ts'
export type { TarEntryType, TarHeader } from '../tar/entry.ts'
export type { TarEntry } from '../tar/read-tar.ts'
export { type ArtifactContent, type ArtifactOptions, artifact } from './artifact.ts'
export type { Attributes, LayerAttributes } from './attributes.ts'
export {
  type FromOptions,
  ImageBuilder,
  type ImageFactory,
  type ImageOptions,
  image,
  type PushImageOptions,
  type ScratchOptions,
} from './builder.ts'
export type { Compression } from './compression.ts'
export type { HistoryEntry, ImageConfig, RootFS, RunConfig } from './config.ts'
export { defaultPlatform } from './default-platform.ts'
export type { ReadManifest } from './find-image.ts'
export { type IndexOptions, index } from './image-index.ts'
export { ImageLayer } from './layer.ts'
export type { Addition, AddOptions } from './layer-step.ts'
export { type PulledImage, type PullOptions, pull } from './pull.ts'
export type { RunOptions } from './run-options.ts'
export { type ImageSource, type ImageTarget, imageSource, type ResolveRegistry } from './source.ts'
export type { Content, FileTree, TreeEntry } from './tree.ts'
