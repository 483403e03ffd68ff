import { chmod, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dockerConfig } from '../../../src/remote/credentials/docker-config.ts'
import { eraseCredentials, storeCredentials } from '../../../src/remote/credentials/store.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { writeHelper } from './fake-helper.ts'

const temporaryDirectory = temporaryDirectories()

const BOB = { username: 'bob', password: 'a:b' }
const BOB_AUTH = Buffer.from('bob:a:b').toString('base64')

async function home(content?: string) {
  const directory = await temporaryDirectory()
  const path = join(directory, '.docker', 'config.json')
  if (content !== undefined) {
    await mkdir(dirname(path))
    await writeFile(path, content)
  }
  const options = { home: directory, env: { PATH: directory } }
  return { directory, path, options, read: () => readFile(path, 'utf8') }
}

describe('storeCredentials', () => {
  it('makes docker’s file, for its owner alone', async () => {
    const { path, options, read } = await home()
    expect(await storeCredentials('registry.example', BOB, options)).toEqual({ path })
    expect(await read()).toBe(`{\n\t"auths": {\n\t\t"registry.example": {\n\t\t\t"auth": "${BOB_AUTH}"\n\t\t}\n\t}\n}`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
    expect(await dockerConfig(options)('registry.example', {})).toEqual(BOB)
    expect(await readdir(dirname(path))).toEqual(['config.json'])
  })

  it('keeps everything else in it, and how it is indented', async () => {
    const before = `{
  "psFormat": "table",
  "auths": {
    "other.example": {
      "auth": "eDp5",
      "email": "x@y"
    }
  },
  "__proto__": 1,
  "plugins": { "x": { "y": "z" } }
}
`
    const { path, options, read } = await home(before)
    await chmod(path, 0o644)
    await storeCredentials('registry.example', { identityToken: 'I' }, options)
    expect(await read()).toBe(`{
  "psFormat": "table",
  "auths": {
    "other.example": {
      "auth": "eDp5",
      "email": "x@y"
    },
    "registry.example": {
      "identitytoken": "I"
    }
  },
  "__proto__": 1,
  "plugins": {
    "x": {
      "y": "z"
    }
  }
}
`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('puts a new login in place of the old one', async () => {
    const { options, read } = await home('{"auths":{"registry.example":{"auth":"eDp5","identitytoken":"old"}}}')
    await storeCredentials('registry.example', BOB, options)
    expect(await read()).toBe(`{"auths":{"registry.example":{"auth":"${BOB_AUTH}"}}}`)
    await storeCredentials('registry.example', { registryToken: 'R' }, options)
    expect(await read()).toBe('{"auths":{"registry.example":{"registrytoken":"R"}}}')
  })

  it('files Docker Hub under the key that docker has for it', async () => {
    const { options, read } = await home('{}')
    await storeCredentials('docker.io', BOB, options)
    expect(JSON.parse(await read())).toEqual({ auths: { 'https://index.docker.io/v1/': { auth: BOB_AUTH } } })
    expect(await dockerConfig(options)('docker.io', {})).toEqual(BOB)
  })

  it('gives them to the helper, and writes down that there are some', async () => {
    const { directory, path, options, read } = await home(
      '{"credsStore":"all","credHelpers":{"special.example":"one"}}',
    )
    const all = await writeHelper(directory, 'all', {})
    const one = await writeHelper(directory, 'one', {})
    expect(await storeCredentials('registry.example', BOB, options)).toEqual({ path, helper: 'all' })
    expect(await storeCredentials('special.example', { identityToken: 'I' }, options)).toEqual({ path, helper: 'one' })
    expect(await all()).toEqual({ 'registry.example': ['bob', 'a:b'] })
    expect(await one()).toEqual({ 'special.example': ['<token>', 'I'] })
    expect(JSON.parse(await read())).toMatchObject({ auths: { 'registry.example': {}, 'special.example': {} } })
    expect(await dockerConfig(options)('registry.example', {})).toEqual(BOB)
  })

  it('writes nothing where the helper fails', async () => {
    const { options, read } = await home('{"credsStore":"wharfage-nowhere"}')
    await expect(storeCredentials('registry.example', BOB, options)).rejects.toMatchObject({ code: 'UNKNOWN' })
    expect(await read()).toBe('{"credsStore":"wharfage-nowhere"}')
  })

  it('writes where $REGISTRY_AUTH_FILE and $DOCKER_CONFIG say, or where it is told to', async () => {
    const { directory, options } = await home()
    const chosen = join(directory, 'a', 'b', 'auth.json')
    const env = { REGISTRY_AUTH_FILE: chosen, DOCKER_CONFIG: join(directory, 'docker') }
    expect(await storeCredentials('x.example', BOB, { ...options, env })).toEqual({ path: chosen })
    const { DOCKER_CONFIG } = env
    expect(await storeCredentials('x.example', BOB, { ...options, env: { DOCKER_CONFIG } })).toEqual({
      path: join(directory, 'docker', 'config.json'),
    })
    const path = join(directory, 'mine.json')
    expect(await storeCredentials('x.example', BOB, { ...options, env, path })).toEqual({ path })
  })

  it.each(['there', 'yet to be made'])('writes through a link to a file that is %s', async (state) => {
    const { directory, path, options } = await home()
    const target = join(directory, 'real.json')
    await mkdir(dirname(path))
    await symlink('../real.json', path)
    if (state === 'there') await writeFile(target, '{}')
    await storeCredentials('registry.example', BOB, options)
    expect(await readlink(path)).toBe('../real.json')
    expect(JSON.parse(await readFile(target, 'utf8'))).toEqual({ auths: { 'registry.example': { auth: BOB_AUTH } } })
  })

  it('leaves a file alone that it cannot read', async () => {
    const { path, options, read } = await home('{"auths":')
    await expect(storeCredentials('registry.example', BOB, options)).rejects.toMatchObject({
      message: `cannot read the credentials in ${path}: not JSON`,
    })
    expect(await read()).toBe('{"auths":')
  })

  it('says where it cannot write', async () => {
    const { directory, options } = await home()
    await writeFile(join(directory, 'file'), '')
    const path = join(directory, 'file', 'config.json')
    await expect(storeCredentials('registry.example', BOB, { ...options, path })).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: expect.stringMatching(/^cannot write the credentials to .*config\.json: E(NOTDIR|EXIST)$/),
    })
  })

  it.each([
    {},
    null,
    'bob:secret',
    { username: 'bob' },
    { username: '', password: 'x' },
    { username: 'a:b', password: 'secret' },
    { identityToken: '' },
  ])('refuses %j', async (credentials) => {
    const { options } = await home()
    // @ts-expect-error what somebody without a compiler may give
    const error: unknown = await storeCredentials('x.example', credentials, options).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).not.toContain('secret')
  })
})

describe('eraseCredentials', () => {
  it('forgets a login however its key is written, and no other', async () => {
    const keys = ['registry.example', 'https://registry.example/v1/', 'registry.example/team', 'other.example']
    const { path, options, read } = await home(
      JSON.stringify({ auths: Object.fromEntries(keys.map((key) => [key, { auth: 'eDp5' }])), psFormat: 'x' }),
    )
    expect(await eraseCredentials('registry.example', options)).toEqual({ path })
    expect(JSON.parse(await read())).toEqual({
      auths: { 'registry.example/team': { auth: 'eDp5' }, 'other.example': { auth: 'eDp5' } },
      psFormat: 'x',
    })
    expect(await eraseCredentials('registry.example', options)).toBe(undefined)
  })

  it('has the helper forget them', async () => {
    const { directory, path, options, read } = await home('{"credsStore":"all"}')
    const kept = await writeHelper(directory, 'all', {})
    await storeCredentials('docker.io', BOB, options)
    expect(await eraseCredentials('docker.io', options)).toEqual({ path, helper: 'all' })
    expect(await kept()).toEqual({})
    expect(JSON.parse(await read())).toEqual({ credsStore: 'all', auths: {} })
  })

  it('makes no file', async () => {
    const { path, options } = await home()
    expect(await eraseCredentials('registry.example', options)).toBe(undefined)
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
