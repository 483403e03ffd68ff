import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXIT_FAILURE, EXIT_USAGE } from '../../src/cli/cli-error.ts'
import type { OpenOptions } from '../../src/cli/locations/location.ts'
import { openLocation } from '../../src/cli/locations.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const directory = temporaryDirectories()

const SOURCE: OpenOptions = { role: 'source', tlsVerify: true }
const DIGEST = `sha256:${'0'.repeat(64)}`

async function read(text: string, options = SOURCE) {
  const { backend, repository, reference, host, close } = await openLocation(text, options)
  await close()
  return { origin: backend.origin, repository, reference, host }
}

describe('openLocation', () => {
  it.each([
    ['docker://alpine', 'https://registry-1.docker.io', 'docker.io', 'library/alpine', undefined],
    ['docker://alpine:3.20', 'https://registry-1.docker.io', 'docker.io', 'library/alpine', '3.20'],
    ['docker://registry.example:5000/a/b', 'https://registry.example:5000', 'registry.example:5000', 'a/b', undefined],
    ['docker://127.0.0.1:5000/a:v1', 'http://127.0.0.1:5000', '127.0.0.1:5000', 'a', 'v1'],
    [`docker://quay.io/a/b:v1@${DIGEST}`, 'https://quay.io', 'quay.io', 'a/b', DIGEST],
    ['docker://quay.io/', 'https://quay.io', 'quay.io', undefined, undefined],
  ])('reads %s', async (text, origin, host, repository, reference) => {
    expect(await read(text)).toEqual({ origin, host, repository, reference })
  })

  it('speaks plain HTTP where it is told to', async () => {
    expect((await read('docker://registry.example/a', { ...SOURCE, protocol: 'http' })).origin).toBe(
      'http://registry.example',
    )
  })

  it.each([
    ['', undefined, undefined],
    [':v1', 'image', 'v1'],
    [':alpine:3.20', 'alpine', '3.20'],
    [':ghcr.io/team/app:v1', 'ghcr.io/team/app', 'v1'],
    [':ghcr.io/team/app', 'ghcr.io/team/app', undefined],
    [':127.0.0.1:5000/team/app', '127.0.0.1:5000/team/app', undefined],
    [`@${DIGEST}`, 'image', DIGEST],
    [`:team/app@${DIGEST}`, 'team/app', DIGEST],
  ])('reads oci:DIR%s', async (rest, repository, reference) => {
    const path = await directory()
    const { repository: name, reference: found } = await read(`oci:${path}${rest}`, { ...SOURCE, role: 'target' })
    expect([name, found]).toEqual([repository, reference])
  })

  it.each([
    ['', undefined, undefined],
    ['//', undefined, undefined],
    ['//team/app', 'team/app', undefined],
    ['//team/app:v1', 'team/app', 'v1'],
    [`//team/app@${DIGEST}`, 'team/app', DIGEST],
  ])('reads file:DIR%s', async (rest, repository, reference) => {
    const path = await directory()
    for (const prefix of ['file:', 'file://']) {
      const { repository: name, reference: found } = await read(`${prefix}${path}${rest}`)
      expect([name, found]).toEqual([repository, reference])
    }
  })

  it.each([
    ['alpine:3.20', 'alpine:3.20: no such kind of location: for an image in a registry, write docker://alpine:3.20'],
    ['dokcer://a', 'dokcer://a: no such kind of location: did you mean docker://[HOST/]REPOSITORY[:TAG|@DIGEST]?'],
    ['./images', './images: for a layout in a directory, write oci:./images; for an archive, oci-archive:./images'],
    ['docker:alpine', 'docker:alpine: write docker://alpine'],
    [
      'docker://Alpine',
      'docker://Alpine: not a repository name: expected lower-case letters and digits, separated by . _ __ - or /, at most 255 characters',
    ],
    ['oci:', 'oci:: a path is missing: oci:DIR[:TAG]'],
    ['oci-archive::v1', 'oci-archive::v1: a path is missing: oci-archive:FILE[:NAME]'],
    ['file:', 'file:: a directory is missing: file:DIR'],
  ])('refuses %s', async (text, message) => {
    await expect(openLocation(text, SOURCE)).rejects.toMatchObject({ message, exitCode: EXIT_USAGE })
  })

  it('makes no directory of a source that is not there', async () => {
    const path = join(await directory(), 'none')
    for (const [text, why] of [
      [`file:${path}//a`, `file:${path}: there is no directory ${path}`],
      [`oci-archive:${path}`, `oci-archive:${path}: there is no archive ${path}`],
    ] as const) {
      await expect(openLocation(text, SOURCE)).rejects.toMatchObject({ message: why, exitCode: EXIT_FAILURE })
    }
    await expect(mkdir(path)).resolves.toBeUndefined()
  })
})
