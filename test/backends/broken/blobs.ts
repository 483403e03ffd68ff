import { closeSync, openSync } from 'node:fs'
import { bytesBody, readAll } from '../../../src/bytes.ts'
import { RegistryError } from '../../../src/errors.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { type Broken, brokenBackend, brokenBlobs, changed, endedByErrors, reversed } from './broken.ts'

const leaked: number[] = []

export function closeLeaked(): void {
  for (const fd of leaked.splice(0)) closeSync(fd)
}

/** A signed URL of the store's, made without looking. */
const SOMEWHERE = new URL('https://store.example/blob')

export const BROKEN_BLOBS: Readonly<Record<string, Broken>> = {
  'names that are not checked': {
    by: brokenBackend((backend) => ({
      repository: (name) => {
        try {
          return backend.repository(name)
        } catch {
          return backend.repository('team/app')
        }
      },
    })),
    fails: 'repository > refuses what is none with NAME_INVALID, at once',
  },
  'a digest that is not checked': {
    by: brokenBlobs((blobs) => ({ put: (content, { digest: _, ...options } = {}) => blobs.put(content, options) })),
    fails: 'blobs.put > of another digest than is given is DIGEST_INVALID, and leaves nothing to be seen',
  },
  'a blob that is seen before it is checked': {
    by: brokenBlobs((blobs) => ({
      put: async (content, { digest, ...options } = {}) => {
        const stored = await blobs.put(content, options)
        if (digest?.startsWith('sha256:') && stored.digest !== digest) throw new RegistryError('DIGEST_INVALID')
        return stored
      },
    })),
    fails: 'blobs.put > of another digest than is given is DIGEST_INVALID, and leaves nothing to be seen',
  },
  'a size that is not checked': {
    by: brokenBlobs((blobs) => ({ put: (content, { size: _, ...options } = {}) => blobs.put(content, options) })),
    fails: 'blobs.put > of another size than is given is SIZE_INVALID, and leaves nothing to be seen',
  },
  'a size that is checked too late': {
    by: brokenBlobs((blobs) => ({
      put: async (content, { size, ...options } = {}) => {
        const stored = await blobs.put(content, options)
        if (size !== undefined && stored.size !== size) throw new RegistryError('SIZE_INVALID')
        return stored
      },
    })),
    fails: 'blobs.put > of another size than is given is SIZE_INVALID, and leaves nothing to be seen',
  },
  'content that is not copied': {
    by: brokenBlobs((blobs) => {
      const kept = new Map<string, Uint8Array>()
      return {
        put: async (content, options) => {
          const stored = await blobs.put(content, options)
          if (content instanceof Uint8Array) kept.set(stored.digest, content)
          return stored
        },
        open: async (digest, options) => {
          const reader = await blobs.open(digest, options)
          const content = kept.get(digest)
          return content === undefined ? reader : { ...reader, body: bytesBody(content) }
        },
      }
    }),
    fails: 'blobs.put > keeps the bytes apart from those of the caller',
  },
  'the start of a stream taken for all of it': {
    by: brokenBlobs((blobs) => ({
      put: async (content, options) => blobs.put((await startOf(content)) ?? content, options),
    })),
    fails:
      'blobs.put > rejects with what the source fails with, or the reason of the signal, and leaves nothing to be seen',
  },
  'one algorithm for all': {
    by: brokenBlobs((blobs) => ({ put: (content, { algorithm: _, ...options } = {}) => blobs.put(content, options) })),
    fails: 'blobs.put > computes and checks sha512 as well',
  },
  'a second put that is an error': {
    by: brokenBlobs((blobs) => ({
      put: async (content, options) => {
        if (content instanceof Uint8Array && (await isThere(blobs.stat(digestOf(content))))) {
          throw new RegistryError('BLOB_UPLOAD_INVALID')
        }
        return blobs.put(content, options)
      },
    })),
    fails: 'blobs.put > of what is there already succeeds, one after the other and at once',
  },
  'ranges one byte too long': {
    by: brokenBlobs((blobs) => ({
      open: (digest, { range, ...options } = {}) =>
        blobs.open(digest, {
          ...options,
          ...(range && { range: { ...range, ...(range.end !== undefined && { end: range.end + 1 }) } }),
        }),
    })),
    fails: 'blobs.stat and blobs.open > give every range, half-open, cut to the blob',
  },
  'a range told as it was asked for': {
    by: brokenBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        return { ...reader, range: { ...reader.range, ...options?.range } }
      },
    })),
    fails: 'blobs.stat and blobs.open > give every range, half-open, cut to the blob',
  },
  'no error for a range past the end': {
    by: brokenBlobs((blobs) => ({
      open: (digest, options) =>
        blobs.open(digest, options).catch((error: unknown) => {
          if (RegistryError.is(error, 'RANGE_INVALID')) return blobs.open(digest)
          throw error
        }),
    })),
    fails: 'blobs.stat and blobs.open > answer RANGE_INVALID where a range begins past the end, or is empty',
  },
  'another code for what is not there': {
    by: brokenBlobs((blobs) => ({
      stat: (digest, options) =>
        blobs.stat(digest, options).catch(() => {
          throw new RegistryError('NAME_UNKNOWN')
        }),
    })),
    fails: 'blobs.stat and blobs.open > know no blob that is not there',
  },
  'blobs that are seen everywhere': {
    by: brokenBlobs((_, __, backend) => backend.repository('all').blobs),
    fails: 'blobs.stat and blobs.open > see a blob in the repository it was put to, and in no other',
  },
  'isolation, which it said it lacks': {
    by: (inner) => inner,
    lacks: ['isolation'],
    fails: 'blobs.stat and blobs.open > see a blob in every repository (lacks isolation)',
  },
  'a URL of what is not there': {
    by: brokenBlobs(() => ({ locate: async () => SOMEWHERE })),
    fails: 'blobs.locate > answers with a URL, or that there is none; of a blob that is not here never with one',
  },
  'a body that ends its sink': {
    by: brokenBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        const sendTo: typeof reader.body.sendTo = async (sink, signal) => {
          await reader.body.sendTo(sink, signal)
          sink.end()
        }
        return { ...reader, body: changed(reader.body, { sendTo }) }
      },
    })),
    fails: 'the body of a blob > is the same sent and streamed, and leaves the sink open',
  },
  'a body that ignores the signal': {
    by: brokenBlobs((blobs) => ({
      open: async (digest, options) => {
        const reader = await blobs.open(digest, options)
        return { ...reader, body: changed(reader.body, { sendTo: (sink) => reader.body.sendTo(sink) }) }
      },
    })),
    fails: 'the body of a blob > rejects with the reason when the signal aborts',
  },
  'a file that is never closed': {
    by: brokenBlobs((blobs) => ({
      open: (digest, options) => {
        leaked.push(openSync('/dev/null', 'r'))
        return blobs.open(digest, options)
      },
    })),
    fails: 'the body of a blob > releases what it held, however it ends',
  },
  'a listing that runs backwards': {
    by: brokenBlobs((blobs) => ({ list: (options) => reversed(blobs.list(options)) })),
    fails: 'blobs.list > tells every blob in byte order, from any place on, and in pages',
  },
  'a listing that begins with what it should begin after': {
    by: brokenBlobs((blobs) => ({
      async *list({ after, ...options } = {}) {
        for await (const digest of blobs.list(options)) if (after === undefined || digest >= after) yield digest
      },
    })),
    fails: 'blobs.list > tells every blob in byte order, from any place on, and in pages',
  },
  'a listing that it said it lacks': {
    by: (inner) => inner,
    lacks: ['blob list'],
    fails: 'blobs.list > is refused (lacks blob list)',
  },
  'a deletion of nothing that succeeds': {
    by: brokenBlobs((blobs) => ({ delete: (digest, context) => blobs.delete(digest, context).catch(() => {}) })),
    fails: 'blobs.delete > knows no blob that is not there',
  },
  'a deletion that does nothing': {
    by: brokenBlobs((blobs) => ({ delete: async (digest, context) => void (await blobs.stat(digest, context)) })),
    fails: 'blobs.delete > takes the blob away, and no other',
  },
  'a mount of anything': {
    by: brokenBlobs(() => ({ mount: async (digest) => ({ mediaType: 'application/octet-stream', digest, size: 0 }) })),
    fails: 'blobs.mount > makes nothing of a blob that is not there',
  },
  'a mount that looks in the first repository alone': {
    by: brokenBlobs((blobs) => ({
      mount: async (digest, from, context) => {
        if (typeof from === 'string') return blobs.mount(digest, from, context)
        for await (const first of from) return blobs.mount(digest, first, context)
        throw new RegistryError('BLOB_UNKNOWN')
      },
    })),
    fails: 'blobs.mount > looks for it in several',
  },
  'a mount from where nobody said': {
    by: brokenBlobs((blobs, _, backend) => ({
      mount: (digest, __, context) => blobs.mount(digest, backend.repositories({ withBlobsOnly: true }), context),
    })),
    fails: 'blobs.mount > takes it from where the caller says, and from nowhere else',
  },
  'a signal that is not looked at': {
    by: brokenBlobs((blobs) => ({ stat: (digest) => blobs.stat(digest) })),
    fails: 'a call whose signal has aborted > rejects with the reason, and changes nothing: blobs.stat',
  },
  'an outage taken for absence': {
    by: brokenBlobs((blobs) => ({
      stat: (digest, options) =>
        blobs.stat(digest, options).catch((cause: unknown) => {
          throw new RegistryError('BLOB_UNKNOWN', { cause })
        }),
    })),
    fails:
      'an outage (a store that cannot be reached) > is said to be one, and is never the absence of what was asked for: blobs.stat',
  },
  'an outage taken for the end of a listing': {
    by: brokenBlobs((blobs) => ({ list: (options) => endedByErrors(blobs.list(options)) })),
    fails:
      'an outage (a store that cannot be reached) > is said to be one, and is never the absence of what was asked for: blobs.list',
  },
}

/** What came of a source before it failed. */
async function startOf(content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Uint8Array | undefined> {
  if (content instanceof Uint8Array) return undefined
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of content) chunks.push(Uint8Array.from(chunk))
  } catch {}
  return readAll(Buffer.concat(chunks), Number.POSITIVE_INFINITY)
}

function isThere(found: Promise<unknown>): Promise<boolean> {
  return found.then(
    () => true,
    () => false,
  )
}
