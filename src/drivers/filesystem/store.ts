import type { Logger } from '../../logger.ts'
import { KeyedMutex } from '../keyed-mutex.ts'
import { BegunUploads } from './begun-uploads.ts'
import { BufferPool } from './buffer-pool.ts'
import { Claims } from './claims.ts'
import { Directories } from './directories.ts'
import type { FileOps } from './file-ops.ts'
import { CLAIMS, HIDDEN, isKept } from './layout.ts'
import { ObjectReader } from './object-reader.ts'
import { ObjectWriter } from './object-writer.ts'
import type { UploadContext } from './upload.ts'

/** The parts of a driver, put together once its root is known. */
export class FilesystemStore {
  readonly ops: FileOps
  readonly root: string
  readonly hidden: ReadonlySet<string> = HIDDEN
  readonly reader: ObjectReader
  readonly writer: ObjectWriter
  readonly uploads: UploadContext

  constructor(ops: FileOps, root: string, isDurable: boolean, logger: Logger) {
    const pool = new BufferPool()
    const directories = new Directories(ops, root, {
      keep: (directory) => isKept(directory.slice(root.length + 1)),
      isDurable,
    })
    const claims = new Claims(ops, `${root}/${CLAIMS}`, directories, () => performance.now())
    this.ops = ops
    this.root = root
    this.reader = new ObjectReader(ops, root, pool)
    this.writer = new ObjectWriter({ ops, root, directories, claims, isDurable, logger })
    this.uploads = {
      ...{ ops, root, directories, pool, isDurable, begun: new BegunUploads(), mutex: new KeyedMutex() },
      removeFolder: (prefix) => this.writer.deletePrefix(prefix, false),
    }
  }
}
