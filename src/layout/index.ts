// OCI image layouts, as directories and as archives, and what `docker save` writes.
export { LayoutBackend } from './layout-backend.ts'
export { type LayoutDirectoryOptions, type LayoutOptions, layoutDirectory } from './layout-directory.ts'
