import { CopyObjectCommand, UploadPartCopyCommand } from '@aws-sdk/client-s3'
import type { DriverOptions } from '../../storage/driver.ts'
import { copyRanges } from '../object-store/copy-ranges.ts'
import type { Assembly, Part, Source } from '../object-store/object-store.ts'
import { type S3Assemblies, tagOf } from './assemblies.ts'
import { abortable, type S3Bucket } from './bucket.ts'
import { isCode } from './errors.ts'

/** Up to here one call copies faster than several. */
const COPIED_AT_ONCE_BYTES = 32 * 1024 * 1024
const COPIES_AT_ONCE = 16
/** How often a copy begins again when somebody has swept away what it had begun. */
const COPY_ATTEMPTS = 3

/** Objects made of others within the store. */
export class S3Copies {
  readonly #bucket: S3Bucket
  readonly #assemblies: S3Assemblies

  constructor(bucket: S3Bucket, assemblies: S3Assemblies) {
    this.#bucket = bucket
    this.#assemblies = assemblies
  }

  async copy(
    sources: readonly Source[],
    target: string,
    scratch: string,
    { signal }: DriverOptions = {},
  ): Promise<void> {
    const [only] = sources
    if (sources.length === 1 && only && only.size <= COPIED_AT_ONCE_BYTES) return this.#copyObject(only.key, target)
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#copyParts(sources, { key: target, scratch }, signal)
        return
      } catch (error) {
        if (!isCode(error, 'NoSuchUpload')) throw error
        // Somebody who published the same bytes has swept up behind a process that was killed.
        const size = sources.reduce((sum, source) => sum + source.size, 0)
        if ((await this.#bucket.stat(target))?.size === size) return
        if (attempt === COPY_ATTEMPTS) throw error
      }
    }
  }

  async #copyObject(source: string, target: string): Promise<void> {
    try {
      await this.#bucket.client.send(
        new CopyObjectCommand({
          ...this.#bucket.newObject(target),
          CopySource: this.#bucket.copySource(source),
          MetadataDirective: 'REPLACE',
        }),
      )
    } catch (error) {
      throw this.#bucket.failed(error, undefined, source)
    }
  }

  async #copyParts(
    sources: readonly Source[],
    place: Omit<Assembly, 'id'>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const assembly = { ...place, id: await this.#assemblies.begin(place, signal && { signal }) }
    const ranges = copyRanges(sources)
    const parts: Part[] = []
    let next = 0
    const work = async () => {
      for (let index = next++; index < ranges.length; index = next++) {
        const range = ranges[index]
        if (range === undefined) return
        const { CopyPartResult } = await this.#bucket.client.send(
          new UploadPartCopyCommand({
            ...this.#bucket.object(assembly.key),
            UploadId: assembly.id,
            PartNumber: index + 1,
            CopySource: this.#bucket.copySource(range.key),
            ...(!range.isWhole && { CopySourceRange: `bytes=${range.start}-${range.end - 1}` }),
          }),
          abortable(signal),
        )
        parts[index] = { number: index + 1, size: range.end - range.start, tag: tagOf(CopyPartResult?.ETag) }
      }
    }
    const copied = await Promise.allSettled(Array.from({ length: COPIES_AT_ONCE }, work))
    const failed = copied.find((one) => one.status === 'rejected')
    if (failed !== undefined) {
      await this.#assemblies.abandon(assembly).catch(() => {}) // the first failure is what there is to tell
      throw this.#bucket.failed(failed.reason, signal)
    }
    await this.#assemblies.complete(assembly, parts, signal && { signal })
  }
}
