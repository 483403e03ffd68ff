import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, describe, it } from 'vitest'
import type { Backend, Blobs, Manifests, Tags } from '../../src/backend.ts'
import { createArchive, type LayoutBackend, layoutDirectory, openArchive } from '../../src/layout/index.ts'
import { type BackendTrait, testBackend } from '../../src/testing/index.ts'
import { tarOf } from '../layout/tars.ts'

/** Blobs belong to the whole layout, so that there are no repositories of blobs alone. */
const SHARED: readonly BackendTrait[] = ['isolation', 'repositories of blobs', 'index check']

const directories = new Map<Backend, string>()

async function inDirectory<T extends Backend>(open: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'wharfage-'))
  const backend = await open(directory)
  directories.set(backend, directory)
  return backend
}

async function destroy(backend: Backend): Promise<void> {
  await (backend as Partial<LayoutBackend>).close?.() // each of those made here has it
  await rm(directories.get(backend) ?? '', { recursive: true, force: true })
  directories.delete(backend)
}

describe('a layout directory', () => {
  testBackend(
    { describe, it, afterEach },
    {
      create: () => inDirectory(layoutDirectory),
      destroy,
      lacks: SHARED,
      unavailable: {
        'a file in its place': () =>
          inDirectory(async (directory) => {
            await writeFile(join(directory, 'file'), 'not a directory')
            return layoutDirectory(join(directory, 'file'))
          }),
      },
    },
  )
})

describe('a layout directory, seen by another process', () => {
  testBackend(
    { describe, it, afterEach },
    {
      create: () => inDirectory(layoutDirectory),
      reopen: async (backend) => layoutDirectory(directories.get(backend) ?? ''),
      destroy,
      lacks: [...SHARED, 'resume'],
    },
  )
})

describe.each(['oci', 'docker'] as const)('an archive for %s that is being written', (format) => {
  testBackend(
    { describe, it, afterEach },
    {
      create: () => inDirectory((directory) => createArchive(join(directory, 'image.tar'), { format })),
      destroy,
      lacks: SHARED,
    },
  )
})

describe('an archive that is read', () => {
  const writers = new Map<Backend, LayoutBackend>()
  testBackend(
    { describe, it, afterEach },
    {
      create: async () => {
        let writer: LayoutBackend | undefined
        const reader = await inDirectory((directory) => {
          writer = layoutDirectory(directory)
          return archiveOf(directory)
        })
        if (writer !== undefined) writers.set(reader, writer)
        return reader
      },
      writer: (backend) => writers.get(backend) ?? backend,
      destroy: async (backend) => {
        writers.delete(backend)
        await destroy(backend)
      },
      lacks: [...SHARED, 'write'],
    },
  )
})

/** The archive of a layout as it is when it is asked. */
function archiveOf(directory: string): Backend & { close(): Promise<void> } {
  const opened = new Map<string, Promise<LayoutBackend>>()
  const open = async () => {
    const names = await readdir(directory, { recursive: true, withFileTypes: true })
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const state = files.join() + (await readFile(join(directory, 'index.json'), 'utf8').catch(() => ''))
    const known = opened.get(state) ?? archive(files)
    opened.set(state, known)
    return known
  }
  const archive = async (files: readonly string[]) => {
    const parts = files.map(async (file) => ({ path: relative(directory, file), content: await readFile(file) }))
    const empty = [
      { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
      { path: 'index.json', content: '{"manifests":[]}' },
    ].filter(({ path }) => !files.includes(join(directory, path)))
    return openArchive(tarOf([...empty, ...(await Promise.all(parts))]))
  }
  const list = async function* <T>(items: Promise<AsyncIterable<T>>) {
    yield* await items
  }
  return {
    repository: (name) => {
      const { name: checked } = layoutDirectory(directory).repository(name)
      const repository = async () => (await open()).repository(name)
      const blobs = async () => (await repository()).blobs
      const manifests = async () => (await repository()).manifests
      const tags = async () => (await repository()).tags
      const late: { readonly blobs: Blobs; readonly manifests: Manifests; readonly tags: Tags } = {
        blobs: {
          stat: async (...args) => (await blobs()).stat(...args),
          open: async (...args) => (await blobs()).open(...args),
          startUpload: async (...args) => (await blobs()).startUpload(...args),
          resumeUpload: async (...args) => (await blobs()).resumeUpload(...args),
          mount: async (...args) => (await blobs()).mount(...args),
          delete: async (...args) => (await blobs()).delete(...args),
          locate: async (...args) => (await blobs()).locate(...args),
          put: async (...args) => (await blobs()).put(...args),
          list: (...args) => list(blobs().then((it) => it.list(...args))),
        },
        manifests: {
          stat: async (...args) => (await manifests()).stat(...args),
          get: async (...args) => (await manifests()).get(...args),
          put: async (...args) => (await manifests()).put(...args),
          delete: async (...args) => (await manifests()).delete(...args),
          list: (...args) => list(manifests().then((it) => it.list(...args))),
          referrers: (...args) => list(manifests().then((it) => it.referrers(...args))),
        },
        tags: {
          resolve: async (...args) => (await tags()).resolve(...args),
          set: async (...args) => (await tags()).set(...args),
          delete: async (...args) => (await tags()).delete(...args),
          list: (...args) => list(tags().then((it) => it.list(...args))),
        },
      }
      return { name: checked, delete: async (...args) => (await repository()).delete(...args), ...late }
    },
    repositories: (options) => list(open().then((it) => it.repositories(options))),
    close: async () => {
      for (const one of opened.values()) await (await one).close()
    },
  }
}
