// Artifacts attached to an image by oras and regctl: found through the referrers API, followed, copied and removed.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Check } from './lib/check.mjs'
import { clients } from './lib/clients.mjs'
import { writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('referrers')
const sbom = 'application/vnd.example.sbom'
const signature = 'application/vnd.example.signature'

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  for (const storage of ['memory:', `file:${await scope.tempDir('storage')}`]) {
    const registry = await startRegistry(scope, { storage })
    const home = await scope.tempDir('home')
    await attachAndDiscover(storage.split(':')[0], registry, layout, home)
    await registry.stop()
  }
})
check.finish()

async function attachAndDiscover(label, { host }, layout, home) {
  const { oras, regctl } = clients(home, host)
  const repository = `${host}/team/signed`
  const discover = async (reference, ...args) =>
    JSON.parse(await oras.tool('discover', '--no-tty', '--plain-http', '--format', 'json', ...args, reference))
      .referrers ?? []
  const types = (found) => found.map(({ artifactType }) => artifactType).sort()

  await writeFile(join(home, 'sbom.json'), '{"packages":["one","two"]}')
  await writeFile(join(home, 'image.sig'), 'signed by nobody')
  await oras.push(layout, 'multi', `${repository}:multi`)
  await check.step(`${label}: nothing is attached at first`, async () => {
    expect(await discover(`${repository}:multi`), [])
  })
  await check.step(`${label}: oras attaches a document and a signature`, async () => {
    const attach = ['attach', '--no-tty', '--plain-http', '--artifact-type']
    await oras.tool(...attach, sbom, `${repository}:multi`, 'sbom.json:application/json')
    await oras.tool(...attach, signature, `${repository}:multi`, 'image.sig:text/plain')
    expect(types(await discover(`${repository}:multi`)), [sbom, signature])
  })
  await check.step(`${label}: oras discovers by type`, async () => {
    expect(types(await discover(`${repository}:multi`, '--artifact-type', sbom)), [sbom])
  })
  await check.step(`${label}: a signature of the document is found below it`, async () => {
    const [{ digest }] = await discover(`${repository}:multi`, '--artifact-type', sbom)
    await oras.tool(
      'attach',
      '--no-tty',
      '--plain-http',
      '--artifact-type',
      signature,
      `${repository}@${digest}`,
      'image.sig:text/plain',
    )
    expect(types(await discover(`${repository}@${digest}`)), [signature])
  })
  await check.step(`${label}: what was attached is pulled with the same bytes`, async () => {
    const [{ digest }] = await discover(`${repository}:multi`, '--artifact-type', sbom)
    await oras.tool('pull', '--no-tty', '--plain-http', '-o', 'pulled', `${repository}@${digest}`)
    expect(await readFile(join(home, 'pulled', 'sbom.json'), 'utf8'), await readFile(join(home, 'sbom.json'), 'utf8'))
  })
  await check.step(`${label}: regctl attaches one more and lists all`, async () => {
    const text = 'application/vnd.example.note'
    await regctl.tool(
      'artifact',
      'put',
      '--artifact-type',
      text,
      '--subject',
      `${repository}:multi`,
      '-f',
      join(home, 'image.sig'),
    )
    const listed = JSON.parse(
      await regctl.tool('artifact', 'list', '--format', '{{json .Descriptors}}', `${repository}:multi`),
    )
    expect(types(listed), [text, sbom, signature].sort())
  })
  await check.step(`${label}: no client had to fall back to a tag`, async () => {
    expect(await oras.tags(repository), ['multi'])
  })
  await check.step(`${label}: oras copies the image with everything attached`, async () => {
    const copy = `${host}/other/signed`
    await oras.tool(
      'cp',
      '-r',
      '--no-tty',
      '--from-plain-http',
      '--to-plain-http',
      `${repository}:multi`,
      `${copy}:multi`,
    )
    expect((await discover(`${copy}:multi`)).length, 3)
  })
  await check.step(`${label}: what is deleted is no longer listed`, async () => {
    const [{ digest }] = await discover(`${repository}:multi`, '--artifact-type', signature)
    await oras.remove(`${repository}@${digest}`)
    expect(types(await discover(`${repository}:multi`, '--artifact-type', signature)), [])
    expect((await discover(`${repository}:multi`)).length, 2)
  })
}

function expect(got, expected) {
  if (JSON.stringify(got) !== JSON.stringify(expected)) {
    throw new Error(`expected ${JSON.stringify(expected)}\ngot      ${JSON.stringify(got)}`)
  }
}
