import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.ts'
import { pushImage } from '../support/images.ts'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { testRegistries } from '../support/test-registries.ts'

const start = testRegistries()
const newDirectory = temporaryDirectories()

describe('wharfage serve --proxy', () => {
  const serve = (cwd: string, ...args: readonly string[]) =>
    new RunningCommand([COMMAND, 'serve', '--listen', '127.0.0.1:0', ...args], {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd },
    })

  it('pulls through with the logins that docker knows, starts while the registry is down, and remembers what it keeps', async () => {
    const directory = await newDirectory()
    const upstream = await start({ users: { ci: 's3cr3t' } })
    const image = await pushImage(upstream.registry.repository('app'), ['layer'], { tags: ['v1'] })
    const auths = { [upstream.host]: { auth: Buffer.from('ci:s3cr3t').toString('base64') } }
    await mkdir(join(directory, '.docker'))
    await writeFile(join(directory, '.docker/config.json'), JSON.stringify({ auths }))
    const args = ['--proxy', `hub=${upstream.url}`, '--proxy-cache-size', '1G']
    const pull = async (url: string) => {
      using client = new HttpClient(url)
      const manifest = await client.send('GET', '/v2/hub/app/manifests/v1')
      const layer = await client.send('GET', `/v2/hub/app/blobs/${image.layers[0]?.digest}`)
      const refused = await client.send('POST', '/v2/hub/app/blobs/uploads/')
      return [manifest.body, layer.body.toString(), refused.status]
    }
    await using command = serve(directory, ...args)
    expect(await pull(await command.listening())).toEqual([Buffer.from(image.content), 'layer', 405])
    expect(command.stdout).toContain(`pulls hub/… through from ${upstream.url}/`)
    command.kill('SIGTERM')
    expect(await command.exit).toEqual({ code: 0, signal: null })
    expect(command.stdout + command.stderr).not.toContain('s3cr3t')
    const state = join(directory, 'registry-data/docker/registry/v2/_wharfage/pull-through/state.json')
    const { entries } = JSON.parse(await readFile(state, 'utf8'))
    expect(entries).toHaveLength(2)
    await upstream.stop()
    await using later = serve(directory, ...args)
    expect(await pull(await later.listening())).toEqual([Buffer.from(image.content), 'layer', 405])
    later.kill('SIGTERM')
    expect(await later.exit).toEqual({ code: 0, signal: null })
    expect(await readdir(join(directory, 'registry-data/docker/registry/v2/repositories'))).toEqual(['hub'])
  })

  it('takes logins from the file that it is given', async () => {
    const directory = await newDirectory()
    const upstream = await start({ users: { ci: 's3cr3t' } })
    await pushImage(upstream.registry.repository('app'), ['layer'], { tags: ['v1'] })
    const auths = { [upstream.host]: { username: 'ci', password: 's3cr3t' } }
    await writeFile(join(directory, 'auth.json'), JSON.stringify({ auths }))
    const proxy = ['--storage', 'memory:', '--proxy', upstream.url]
    await using command = serve(directory, ...proxy, '--proxy-auth', 'auth.json')
    using client = new HttpClient(await command.listening())
    expect((await client.send('GET', '/v2/app/manifests/v1')).status).toBe(200)
    await using without = serve(directory, ...proxy)
    using refused = new HttpClient(await without.listening())
    expect((await refused.send('GET', '/v2/app/manifests/v1')).status).toBe(403)
    await using missing = serve(directory, ...proxy, '--proxy-auth', 'none.json')
    expect((await missing.exit).code).toBe(1)
    expect(missing.stderr).toContain('--proxy-auth none.json: ENOENT')
  })

  it('lets the one for everything answer to its own name beside others', async () => {
    const directory = await newDirectory()
    const [all, other] = [await start({}), await start({})]
    await pushImage(all.registry.repository('team/app'), ['of all'], { tags: ['v1'] })
    await pushImage(other.registry.repository('team/app'), ['of the other'], { tags: ['v1'] })
    await using command = serve(
      ...[directory, '--storage', 'memory:', '--proxy', all.url, '--proxy', `other.test=${other.url}`],
    )
    using client = new HttpClient(await command.listening())
    const pull = async (query: string) => {
      const { status, headers } = await client.send('GET', `/v2/team/app/manifests/v1${query}`)
      return [status, headers['docker-content-digest']]
    }
    const digestAt = async ({ registry }: typeof all) =>
      (await registry.repository('team/app').tags.resolve('v1')) as string
    expect(await pull('')).toEqual([200, await digestAt(all)])
    expect(await pull(`?ns=${all.host}`)).toEqual([200, await digestAt(all)])
    expect(await pull('?ns=other.test')).toEqual([200, await digestAt(other)])
    expect(await pull('?ns=docker.io')).toEqual([404, undefined])
  })

  it('takes one registry for everything and by its name, as Docker’s mirror and containerd’s want it', async () => {
    const hub = 'https://registry-1.docker.io'
    const args = ['--storage', 'memory:', '--proxy', hub, '--proxy', `docker.io=${hub}`]
    await using command = serve(await newDirectory(), ...args)
    await command.listening()
    command.kill('SIGTERM')
    expect(await command.exit).toEqual({ code: 0, signal: null })
    expect(command.stdout).toMatch(
      new RegExp(
        `^pulls all through from ${hub}/\npulls docker\\.io/… through from ${hub}/\npull one:\n  docker pull 127\\.0\\.0\\.1:\\d+/IMAGE\n$`,
        'm',
      ),
    )
    expect(command.stderr).toBe('')
  })
})
