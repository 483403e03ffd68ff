/** What an entry of a tar archive can be, of what an image's layer may hold. */
export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character-device' | 'block-device' | 'fifo'

/** An entry but for its content, extensions (pax, GNU) already applied. */
export interface TarHeader {
  /** As the archive has it: `./etc/motd`, `/etc/motd`, `../motd`. Join it with nothing before it was looked at. */
  readonly name: string
  readonly type: TarEntryType
  /** Bytes of content; 0 for all but files. */
  readonly size: number
  /** Permission bits, with set-uid, set-gid and sticky: `0o644`. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly uname?: string
  readonly gname?: string
  /** Seconds since 1970, before which it is negative; it may have a fraction. */
  readonly mtime: number
  /** Where a symlink points, or the name of the entry that a hard link is another name of. */
  readonly linkname?: string
  /** Of a device. */
  readonly major?: number
  readonly minor?: number
  /** Further pax records by name, extended attributes among them: `SCHILY.xattr.security.capability`. */
  readonly pax?: ReadonlyMap<string, string>
}

/** Size of everything in a tar archive is a multiple of this, in bytes. */
export const BLOCK_BYTES = 512

/** Zeros that fill the last block of a content of `size` bytes. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

/** Type flags as POSIX has them. @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html */
export const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}
