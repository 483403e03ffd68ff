import type { TarEntryType, TarHeader } from '../tar/entry.ts'

/** What entries of a layer are given, whatever they had where they come from. */
export interface Attributes {
  /** Default: 0, root. */
  readonly uid?: number
  /** Default: 0, root. */
  readonly gid?: number
  /** Permissions of files. Default: 0o755 for those that may be executed, 0o644 for others. */
  readonly mode?: number
  /** Default: when the image was created, which is 1970 unless told otherwise, so that the same files are the same layer. */
  readonly mtime?: Date
}

export interface LayerAttributes extends Attributes {
  /** Permissions of directories. Default: 0o755. */
  readonly directoryMode?: number
}

export const DIRECTORY_MODE = 0o755
export const FILE_MODE = 0o644
export const EXECUTABLE_MODE = 0o755
/** What Linux says that symbolic links have. */
const SYMLINK_MODE = 0o777

/** Attributes of a whole layer, of which `mtime` is settled. */
export interface Defaults extends LayerAttributes {
  readonly mtime: Date
}

interface Entry extends Attributes {
  readonly name: string
  readonly type: TarEntryType
  readonly size?: number
  readonly linkname?: string
  /** Of a file: whether it may be executed. */
  readonly isExecutable?: boolean
}

/** `entry`'s own attributes before the layer's. A directory's name gets the slash that tars want. */
export function headerOf(entry: Entry, defaults: Defaults): TarHeader {
  const { type, linkname } = entry
  return {
    name: type === 'directory' ? `${entry.name}/` : entry.name,
    type,
    size: entry.size ?? 0,
    mode: entry.mode ?? modeOf(entry, defaults),
    uid: entry.uid ?? defaults.uid ?? 0,
    gid: entry.gid ?? defaults.gid ?? 0,
    mtime: secondsOf(entry.mtime ?? defaults.mtime),
    ...(linkname !== undefined && { linkname }),
  }
}

export function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

function modeOf({ type, isExecutable }: Entry, defaults: Defaults): number {
  if (type === 'directory') return defaults.directoryMode ?? DIRECTORY_MODE
  if (type === 'symlink') return SYMLINK_MODE
  return defaults.mode ?? (isExecutable ? EXECUTABLE_MODE : FILE_MODE)
}
