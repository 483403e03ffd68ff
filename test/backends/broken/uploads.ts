import { RegistryError } from '../../../src/errors.ts'
import { digestOf } from '../../../src/spec/digest.ts'
import { type Broken, brokenBlobs, brokenUploads } from './broken.ts'

export const BROKEN_UPLOADS: Readonly<Record<string, Broken>> = {
  'an offset that is not looked at': {
    by: brokenUploads((upload) => ({
      append: (content, { at: _, ...options } = {}) => upload.append(content, options),
    })),
    fails: 'an upload > answers RANGE_INVALID where it is not at the offset that the caller believes, and goes on',
  },
  'last bytes that are left out': {
    by: brokenUploads((upload) => ({
      commit: (digest, { last: _, ...options } = {}) => upload.commit(digest, options),
    })),
    fails: 'an upload > takes every kind of source, to append and as the last bytes',
  },
  'a chunk that is published': {
    by: brokenUploads((upload, blobs) => ({
      append: async (content, options) => {
        if (content instanceof Uint8Array) await blobs.put(content)
        return upload.append(content, options)
      },
    })),
    fails: 'an upload > ends with DIGEST_INVALID when it is committed by another digest than its own',
  },
  'a wrong digest that does not end it': {
    by: brokenUploads((upload) => {
      const chunks: Uint8Array[] = []
      return {
        append: (content, options) => {
          if (content instanceof Uint8Array) chunks.push(content)
          return upload.append(content, options)
        },
        commit: async (digest, options) => {
          const last = options?.last instanceof Uint8Array ? [options.last] : []
          if (digestOf(Buffer.concat([...chunks, ...last])) !== digest) throw new RegistryError('DIGEST_INVALID')
          return upload.commit(digest, options)
        },
      }
    }),
    fails: 'an upload > ends with DIGEST_INVALID when it is committed by another digest than its own',
  },
  'a cancel that takes what was committed': {
    by: brokenUploads((upload, blobs) => {
      let committed: Parameters<typeof blobs.delete>[0] | undefined
      return {
        commit: async (digest, options) => {
          const blob = await upload.commit(digest, options)
          committed = digest
          return blob
        },
        cancel: () => (committed === undefined ? upload.cancel() : blobs.delete(committed)),
      }
    }),
    fails: 'an upload > is dropped by cancel, as often as it is called; what was committed stays',
  },
  'a cancel that does nothing': {
    by: brokenUploads(() => ({ cancel: async () => {} })),
    fails: 'an upload > is dropped by cancel, as often as it is called; what was committed stays',
  },
  'calls that wait for each other': {
    by: brokenUploads((upload) => {
      let last: Promise<unknown> = Promise.resolve()
      return {
        append: (content, options) => {
          const next = last.then(() => upload.append(content, options))
          last = next.catch(() => {})
          return next
        },
      }
    }),
    fails: 'an upload > takes one call at a time: a second one while the first runs is RANGE_INVALID',
  },
  'a commit by whatever digest it has': {
    by: brokenUploads((upload, blobs) => {
      const chunks: Uint8Array[] = []
      return {
        append: (content, options) => {
          if (content instanceof Uint8Array) chunks.push(content)
          return upload.append(content, options)
        },
        commit: (_, { last } = {}) => blobs.put(Buffer.concat(last instanceof Uint8Array ? [...chunks, last] : chunks)),
      }
    }),
    fails: 'an upload > ends with DIGEST_INVALID when it is committed by another digest than its own',
  },
  'one that begins anew where it should go on': {
    by: brokenBlobs((blobs) => ({ resumeUpload: () => blobs.startUpload() })),
    fails: 'blobs.resumeUpload > goes on elsewhere from what is there, chunk after chunk',
  },
  'one that begins where there is nothing to go on with': {
    by: brokenBlobs((blobs) => ({
      resumeUpload: (id, context) => blobs.resumeUpload(id, context).catch(() => blobs.startUpload()),
    })),
    fails: 'blobs.resumeUpload > knows no upload that nobody began',
  },
  'one that any repository may go on with': {
    by: brokenBlobs((blobs, { name }, backend) => ({
      resumeUpload: (id, context) =>
        blobs.resumeUpload(id, context).catch((error: unknown) => {
          if (name === 'team/app') throw error
          return backend.repository('team/app').blobs.resumeUpload(id, context)
        }),
    })),
    fails: 'blobs.resumeUpload > knows an upload in its own repository alone',
  },
  'going on, which it said it cannot': {
    by: (inner) => inner,
    lacks: ['resume'],
    fails: 'blobs.resumeUpload > does not continue one that was begun (lacks resume)',
  },
  'mounting, which it said it cannot': {
    by: (inner) => inner,
    lacks: ['mount'],
    fails: 'blobs.mount > leaves the bytes to the caller (lacks mount)',
  },
}
