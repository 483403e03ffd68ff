import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { DriverOptions } from '../../storage/driver.ts'
import type { Assembly, Part } from '../object-store/object-store.ts'
import { abortable, type S3Bucket } from './bucket.ts'
import { isCode } from './errors.ts'

/** Objects that are assembled from parts: multipart uploads. */
export class S3Assemblies {
  readonly #bucket: S3Bucket

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket
  }

  async begin({ key }: Omit<Assembly, 'id'>, { signal }: DriverOptions = {}): Promise<string> {
    try {
      const command = new CreateMultipartUploadCommand(this.#bucket.newObject(key))
      const { UploadId } = await this.#bucket.client.send(command, abortable(signal))
      if (UploadId === undefined) throw new Error('the store began a multipart upload and did not say which')
      return UploadId
    } catch (error) {
      throw this.#bucket.failed(error, signal)
    }
  }

  async putPart(
    { key, id }: Assembly,
    number: number,
    content: Uint8Array,
    { signal }: DriverOptions = {},
  ): Promise<string> {
    const input = { ...this.#bucket.object(key), UploadId: id, PartNumber: number, Body: content }
    try {
      const { ETag } = await this.#bucket.client.send(
        new UploadPartCommand({ ...input, ContentLength: content.byteLength }),
        abortable(signal),
      )
      return tagOf(ETag)
    } catch (error) {
      throw this.#bucket.failed(error, signal)
    }
  }

  async complete({ key, id }: Assembly, parts: readonly Part[], { signal }: DriverOptions = {}): Promise<void> {
    const Parts = parts.map(({ number, tag }) => ({ PartNumber: number, ETag: tag }))
    try {
      await this.#bucket.client.send(
        new CompleteMultipartUploadCommand({ ...this.#bucket.object(key), UploadId: id, MultipartUpload: { Parts } }),
        abortable(signal),
      )
    } catch (error) {
      // It may have been completed already, and the answer lost.
      const size = parts.reduce((sum, part) => sum + part.size, 0)
      if (isCode(error, 'NoSuchUpload') && (await this.#bucket.stat(key))?.size === size) return
      throw this.#bucket.failed(error, signal)
    }
  }

  async abandon({ key, id }: Assembly): Promise<void> {
    try {
      await this.#bucket.client.send(new AbortMultipartUploadCommand({ ...this.#bucket.object(key), UploadId: id }))
    } catch (error) {
      if (!isCode(error, 'NoSuchUpload')) throw this.#bucket.failed(error)
    }
  }

  async abandonAll({ key, scratch }: Omit<Assembly, 'id'>): Promise<void> {
    let marker: { readonly KeyMarker: string; readonly UploadIdMarker: string } | undefined
    do {
      const page = await this.#bucket.client
        .send(
          new ListMultipartUploadsCommand({ Bucket: this.#bucket.name, Prefix: this.#bucket.root + key, ...marker }),
        )
        .catch((error: unknown) => {
          throw this.#bucket.failed(error)
        })
      for (const { Key, UploadId } of page.Uploads ?? []) {
        if (Key === this.#bucket.root + key && UploadId) await this.abandon({ key, scratch, id: UploadId })
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
      marker =
        IsTruncated && NextKeyMarker && NextUploadIdMarker
          ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker }
          : undefined
    } while (marker !== undefined)
  }
}

export function tagOf(tag: string | undefined): string {
  if (tag === undefined) throw new Error('the store took a part and gave no tag for it')
  return tag
}
