// OCI image layouts, as directories and as archives, and what `docker save` writes.
export { type CreateArchiveOptions, createArchive, type NewArchive } from './create-archive.ts'
export { LayoutBackend } from './layout-backend.ts'
export { type LayoutDirectoryOptions, type LayoutOptions, layoutDirectory } from './layout-directory.ts'
export { type OpenArchiveOptions, openArchive } from './open-archive.ts'
export type { SpoolOptions } from './spool.ts'
