import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { OperationContext, Repository } from '../backend.ts'
import { type ByteStream, readAll } from '../bytes.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor } from '../spec/descriptor.ts'
import { algorithmOf, type Digest, finishDigest } from '../spec/digest.ts'

/**
 * A blob whose end fails with `DIGEST_INVALID` when it was not what its digest says, whoever keeps it, and which fails with
 * `SIZE_INVALID` as soon as it is more.
 *
 * @throws `RegistryError` `BLOB_UNKNOWN`
 */
export async function openChecked(
  repository: Repository,
  { digest, size }: Descriptor,
  context: OperationContext,
): Promise<ByteStream> {
  const { body } = await repository.blobs.open(digest, { ...context, verify: false })
  const checked = checkingStream(digest, size)
  // Errors reach whoever reads: the pipeline destroys its last stream with them.
  pipeline(body.stream(), checked, context.signal ? { signal: context.signal } : {}).catch(() => {})
  return checked
}

/** One that is small enough to be held. @throws `RegistryError` `SIZE_INVALID` beyond `maxBytes`, before it is read */
export async function readChecked(
  repository: Repository,
  descriptor: Descriptor,
  maxBytes: number,
  context: OperationContext,
): Promise<Uint8Array> {
  const { digest, size } = descriptor
  if (size > maxBytes) {
    throw new RegistryError('SIZE_INVALID', { message: `the blob ${digest} has ${size} bytes, more than ${maxBytes}` })
  }
  const content = await readAll(await openChecked(repository, descriptor, context), size)
  return content ?? new Uint8Array()
}

export function mismatch(message: string, expected: Digest, received: Digest): RegistryError {
  return new RegistryError('DIGEST_INVALID', { message, detail: { expected, received } })
}

function checkingStream(digest: Digest, size: number): Transform {
  const hash = createHash(algorithmOf(digest))
  let received = 0
  return new Transform({
    transform(chunk: Buffer, _, callback) {
      received += chunk.byteLength
      const isTooMuch = received > size
      if (!isTooMuch) hash.update(chunk)
      callback(
        isTooMuch ? new RegistryError('SIZE_INVALID', { message: `the blob has more than ${size} bytes` }) : null,
        chunk,
      )
    },
    flush(callback) {
      const found = finishDigest(algorithmOf(digest), hash)
      callback(found === digest ? null : mismatch('the blob is not what its digest says', digest, found))
    },
  })
}
