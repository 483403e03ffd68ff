import { randomUUID } from 'node:crypto'
import { constants, open } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ByteSource } from '../bytes.ts'
import { consume } from '../drivers/consume.ts'
import { Appender } from '../drivers/filesystem/appender.ts'
import { BufferPool } from '../drivers/filesystem/buffer-pool.ts'
import { adviceOn } from '../drivers/filesystem/errors.ts'
import { NOFOLLOW } from '../drivers/filesystem/file-ops.ts'
import { RegistryError } from '../errors.ts'
import { ArchiveFile } from './archive-file.ts'
import { fileOpsFor } from './errors.ts'

export interface SpoolOptions {
  /** Where temporary files are made. Default: the system's own place for them. */
  readonly temporaryDirectory?: string
  readonly signal?: AbortSignal
}

/**
 * A temporary file, open to write and read. Its name is taken away at once: nobody else finds it, and it goes with the descriptor,
 * also when this process is killed.
 *
 * @throws {@link RegistryError} `UNAVAILABLE`
 */
export async function temporaryFile(directory: string = tmpdir()): Promise<ArchiveFile> {
  const ops = fileOpsFor(directory)
  const path = join(directory, `wharfage-${randomUUID()}`)
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NOFOLLOW
  const fd = await new Promise<number>((resolve, reject) => {
    open(path, flags, 0o600, (error, opened) => (error ? reject(noTemporaryFile(directory, error)) : resolve(opened)))
  })
  const file = new ArchiveFile(ops, fd)
  try {
    await ops.unlink(path)
  } catch (error) {
    await file.close()
    throw error
  }
  return file
}

function noTemporaryFile(directory: string, cause: NodeJS.ErrnoException): RegistryError {
  const message = `no temporary file can be made in ${directory}: ${adviceOn(cause) ?? cause.code}`
  return new RegistryError('UNAVAILABLE', { message, cause })
}

/**
 * Takes a whole stream into a temporary file.
 *
 * @throws {@link RegistryError} `SIZE_INVALID` beyond `maxBytes`
 */
export async function spool(
  content: ByteSource,
  { temporaryDirectory, signal, maxBytes }: SpoolOptions & { readonly maxBytes: number },
): Promise<{ readonly file: ArchiveFile; readonly size: number }> {
  const file = await temporaryFile(temporaryDirectory)
  const appender = new Appender(file.ops, file.fd, { position: 0, pool: new BufferPool(), observe: undefined })
  let size = 0
  const accept = (chunk: Uint8Array): Promise<void> | undefined => {
    size += chunk.byteLength
    if (size > maxBytes)
      throw new RegistryError('SIZE_INVALID', { message: `the archive has more than ${maxBytes} bytes` })
    return appender.accept(chunk)
  }
  try {
    try {
      await consume(content, accept, signal)
    } finally {
      await appender.finish(() => Promise.resolve())
    }
    return { file, size }
  } catch (error) {
    await file.close()
    throw error
  }
}
