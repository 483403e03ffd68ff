// Real images from real files, written as an OCI image layout by hand: what the clients push is not of their own making,
// and its digests are known before any of them touches it.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { run } from './run.mjs'

export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

const project = fileURLToPath(new URL('../../..', import.meta.url))

/**
 * Writes a layout into `dir` with two references: `image` (linux/amd64) and `multi` (an index of amd64 and arm64).
 * The platforms share two layers (a compiler's files or what is `large`, this project's sources) and differ in a third.
 * Resolves to `{ dir, image, multi }`, each a descriptor.
 */
export async function writeLayout(dir, { large = ['node_modules/typescript/lib'] } = {}) {
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true })
  const shared = [await addLayer(dir, large), await addLayer(dir, ['src', 'LICENSE'])]
  const amd64 = await addImage(dir, 'amd64', [...shared, await addLayer(dir, ['package.json'])])
  const arm64 = await addImage(dir, 'arm64', [...shared, await addLayer(dir, ['tsconfig.json', 'package.json'])])
  const multi = await add(dir, mediaTypes.index, {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      { ...amd64, platform: { os: 'linux', architecture: 'amd64' } },
      { ...arm64, platform: { os: 'linux', architecture: 'arm64' } },
    ],
  })
  const named = (descriptor, name) => ({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } })
  const manifests = [named(amd64, 'image'), named(multi, 'multi')]
  await writeFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  await writeFile(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }))
  return { dir, image: amd64, multi }
}

/** A layer of files of this project, or below another directory; `level` is gzip's. */
export async function addLayer(dir, paths, { from = project, level } = {}) {
  const tar = join(dir, 'layer.tar')
  // Names, owners and times are fixed so that two runs over the same files make the same digests.
  const fixed = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@1700000000']
  await run('tar', ['-cf', tar, ...fixed, '-C', from, ...paths])
  const bytes = await readFile(tar)
  await rm(tar)
  return { ...(await addBytes(dir, mediaTypes.layer, gzipSync(bytes, { level }))), diffId: digestOf(bytes) }
}

export async function addImage(dir, architecture, layers) {
  const config = await add(dir, mediaTypes.config, {
    architecture,
    os: 'linux',
    config: { Cmd: ['/LICENSE'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '2023-11-14T22:13:20Z', created_by: 'tar' })),
  })
  const descriptors = layers.map(({ diffId: _, ...descriptor }) => descriptor)
  return add(dir, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: descriptors,
  })
}

function add(dir, mediaType, value) {
  return addBytes(dir, mediaType, Buffer.from(JSON.stringify(value)))
}

async function addBytes(dir, mediaType, bytes) {
  const digest = digestOf(bytes)
  await writeFile(blobPath(dir, digest), bytes)
  return { mediaType, digest, size: bytes.length }
}

export function digestOf(bytes, algorithm = 'sha256') {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}

/** Where a layout keeps the bytes of `digest`. */
export function blobPath(dir, digest) {
  return join(dir, 'blobs', ...digest.split(':'))
}

/** Reads a manifest or index out of a layout. */
export async function readJson(dir, digest) {
  return JSON.parse(await readFile(blobPath(dir, digest), 'utf8'))
}

/** Every digest reachable from `root` in a layout, itself included; what is not there in whole is an error. */
export async function closure(dir, root) {
  const found = new Set()
  const visit = async ({ digest, mediaType, size }) => {
    if (found.has(digest)) return
    found.add(digest)
    const path = blobPath(dir, digest)
    const hash = createHash(digest.split(':')[0])
    for await (const chunk of createReadStream(path)) hash.update(chunk)
    if (`${digest.split(':')[0]}:${hash.digest('hex')}` !== digest) throw new Error(`${path} has other bytes`)
    if (size !== undefined && (await stat(path)).size !== size) throw new Error(`${path} is not ${size} bytes long`)
    if (mediaType !== mediaTypes.index && mediaType !== mediaTypes.manifest) return
    const { manifests = [], config, layers = [] } = await readJson(dir, digest)
    for (const child of [...manifests, ...(config ? [config] : []), ...layers]) await visit(child)
  }
  await visit(root)
  return [...found].sort()
}

/** The digest a layout's index.json gives for its only entry, or for the one with this name. */
export async function rootDigest(dir, name) {
  const { manifests } = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8'))
  const named = manifests.filter(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === name)
  const candidates = named.length > 0 ? named : manifests
  if (candidates.length !== 1) throw new Error(`${dir} has ${candidates.length} entries: ${JSON.stringify(manifests)}`)
  return candidates[0].digest
}

/** Relative paths of all files under `dir`, sorted. */
export async function filesUnder(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort()
}
