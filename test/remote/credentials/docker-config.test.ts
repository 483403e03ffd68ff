import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Credentials } from '../../../src/remote/credentials/credentials.ts'
import { dockerConfig } from '../../../src/remote/credentials/docker-config.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { writeHelper } from './fake-helper.ts'

const temporaryDirectory = temporaryDirectories()

function auth(text: string) {
  return { auth: Buffer.from(text).toString('base64') }
}

interface Files {
  /** By path from the home directory. */
  readonly [path: string]: unknown
}

/** A home directory with these files, and what is found there. */
async function home(files: Files) {
  const directory = await temporaryDirectory()
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  const find = (
    registry: string,
    { repository, env = {}, ...rest }: { repository?: string; env?: NodeJS.ProcessEnv; path?: string } = {},
  ) => {
    const source = dockerConfig({ home: directory, env: { PATH: `${directory}:${process.env.PATH}`, ...env }, ...rest })
    return source(registry, repository === undefined ? {} : { repository })
  }
  return { directory, find }
}

const DOCKER = '.docker/config.json'
const PODMAN = '.config/containers/auth.json'

describe('dockerConfig, of one file', () => {
  it.each<[what: string, key: string, registry: string, found: boolean]>([
    ['a host', 'registry.example', 'registry.example', true],
    ['a host with a port', 'localhost:5000', 'localhost:5000', true],
    ['another port', 'localhost:5000', 'localhost:5001', false],
    ['another host', 'registry.example', 'example', false],
    ['a part of a host', 'registry.example.org', 'registry.example', false],
    ['the usual port', 'registry.example:443', 'registry.example', true],
    ['a key of the first protocol', 'https://registry.example/v1/', 'registry.example', true],
    ['a key of the second', 'https://registry.example/v2/', 'registry.example', true],
    ['a URL', 'https://registry.example', 'registry.example', true],
    ['a URL with a port', 'http://registry.example:5000/v1/', 'registry.example:5000', true],
    ['a host with /v1/', 'registry.example/v1/', 'registry.example', true],
    ['a namespace', 'registry.example/team', 'registry.example', false],
    ['Docker Hub as docker writes it', 'https://index.docker.io/v1/', 'docker.io', true],
    ['Docker Hub as podman writes it', 'docker.io', 'docker.io', true],
    ['Docker Hub by another name', 'index.docker.io', 'docker.io', true],
    ['Docker Hub by its API', 'https://registry-1.docker.io/v2/', 'docker.io', true],
    ['no URL at all', 'http://[', 'registry.example', false],
    ['a name of every object', '__proto__', 'registry.example', false],
  ])('knows %s', async (_what, key, registry, found) => {
    const { find } = await home({
      [DOCKER]: `{"auths":{${JSON.stringify(key)}:${JSON.stringify(auth('bob:secret'))}}}`,
    })
    expect(await find(registry)).toEqual(found ? { username: 'bob', password: 'secret' } : undefined)
  })

  it.each<[what: string, entry: object, expected: Credentials | undefined]>([
    ['a colon in a password', auth('bob:a:b'), { username: 'bob', password: 'a:b' }],
    ['an empty password', auth('bob:'), { username: 'bob', password: '' }],
    ['NUL after a password', auth('bob:a\0\0'), { username: 'bob', password: 'a' }],
    ['letters that are not ASCII', auth('bøb:wörd'), { username: 'bøb', password: 'wörd' }],
    ['base64 without its padding', { auth: 'Ym9iOmE' }, { username: 'bob', password: 'a' }],
    ['an identity token', { ...auth('bob:'), identitytoken: 'I' }, { identityToken: 'I' }],
    ['a registry token', { registrytoken: 'R' }, { registryToken: 'R' }],
    ['a name and a password apart', { username: 'bob', password: 'a' }, { username: 'bob', password: 'a' }],
    ['nothing, for a helper has it', {}, undefined],
    ['an empty auth', { auth: '' }, undefined],
  ])('reads %s', async (_what, entry, expected) => {
    const { find } = await home({ [DOCKER]: { auths: { 'registry.example': entry } } })
    expect(await find('registry.example')).toEqual(expected)
  })

  it('prefers the key as it is written today to an older one', async () => {
    const auths = { 'https://registry.example/v1/': auth('old:a'), 'registry.example': auth('new:b') }
    const { find } = await home({ [DOCKER]: { auths } })
    expect(await find('registry.example')).toEqual({ username: 'new', password: 'b' })
  })

  it('takes the most of a repository’s name that has credentials', async () => {
    const auths = {
      'docker.io': auth('host:x'),
      'docker.io/team': auth('team:x'),
      'docker.io/team/app/web': auth('web:x'),
      'docker.io/team/app/empty': {},
    }
    const { find } = await home({ [PODMAN]: { auths } })
    const user = async (repository?: string) =>
      find('docker.io', repository === undefined ? {} : { repository }).then(
        (found) => found && 'username' in found && found.username,
      )
    expect(await user()).toBe('host')
    expect(await user('library/ubuntu')).toBe('host')
    expect(await user('teams/app')).toBe('host')
    expect(await user('team')).toBe('team')
    expect(await user('team/app')).toBe('team')
    expect(await user('team/app/web')).toBe('web')
    expect(await user('team/app/web/deep')).toBe('web')
    expect(await user('team/app/empty')).toBe('team')
  })

  it.each<[what: string, content: string, message: string]>([
    ['no JSON', '{"auths": SECRET', 'not JSON'],
    ['JSON that is no object', '["SECRET"]', 'not a JSON object'],
    ['bytes that are no text', '\ufeff{}', 'begins with a byte order mark'],
    [
      'an entry that is no object',
      '{"auths":{"registry.example":"SECRET"}}',
      'its entry for registry.example is no object',
    ],
    [
      'an auth that is no base64',
      '{"auths":{"registry.example":{"auth":"SECRET!"}}}',
      'the auth of its entry for registry.example is not the base64 of USER:PASSWORD',
    ],
    [
      'an auth without a user',
      `{"auths":{"registry.example":${JSON.stringify(auth(':SECRET'))}}}`,
      'the auth of its entry for registry.example is not the base64 of USER:PASSWORD',
    ],
    ['a helper that is a path', '{"credsStore":"../../bin/sh"}', 'its credsStore is not the name of a helper'],
    [
      'a helper that is no text',
      '{"credHelpers":{"registry.example":1}}',
      'its credHelpers for registry.example is not the name of a helper',
    ],
  ])('names a file with %s, and nothing of it', async (_what, content, message) => {
    const { directory, find } = await home({ [DOCKER]: content })
    const error: unknown = await find('registry.example').catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'UNKNOWN',
      message: `cannot read the credentials in ${join(directory, DOCKER)}: ${message}`,
    })
    expect(JSON.stringify(error)).not.toContain('SECRET')
  })

  it('tells a file that cannot be read from none', async () => {
    const { directory, find } = await home({})
    await mkdir(join(directory, DOCKER), { recursive: true })
    await expect(find('registry.example')).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: expect.stringMatching(/EISDIR$/),
    })
  })

  it('takes an empty file for none', async () => {
    const { find } = await home({ [DOCKER]: '' })
    expect(await find('registry.example')).toBe(undefined)
  })
})

describe('dockerConfig, of several files', () => {
  const entry = (user: string) => ({ auths: { 'registry.example': auth(`${user}:x`) } })
  const ALL = {
    'chosen.json': entry('chosen'),
    [DOCKER]: entry('docker'),
    'elsewhere/config.json': entry('elsewhere'),
    'run/containers/auth.json': entry('run'),
    'xdg/containers/auth.json': entry('xdg'),
    [PODMAN]: entry('podman'),
  }

  it.each<[names: string, files: Files, variables: readonly string[], user: string | undefined]>([
    ['none', {}, [], undefined],
    ['docker’s before podman’s', ALL, ['XDG_RUNTIME_DIR'], 'docker'],
    ['$DOCKER_CONFIG in place of the home directory', ALL, ['DOCKER_CONFIG'], 'elsewhere'],
    ['$REGISTRY_AUTH_FILE before all', ALL, ['REGISTRY_AUTH_FILE', 'DOCKER_CONFIG'], 'chosen'],
    ['$DOCKER_AUTH_CONFIG before every file', ALL, ['DOCKER_AUTH_CONFIG', 'REGISTRY_AUTH_FILE'], 'inline'],
    ['podman’s of this session', { ...ALL, [DOCKER]: {} }, ['XDG_RUNTIME_DIR'], 'run'],
    ['podman’s own', { [PODMAN]: entry('podman') }, ['XDG_RUNTIME_DIR'], 'podman'],
    ['$XDG_CONFIG_HOME in place of ~/.config', { ...ALL, [DOCKER]: {} }, ['XDG_CONFIG_HOME'], 'xdg'],
    ['the next where the chosen one has no login', { ...ALL, 'chosen.json': {} }, ['REGISTRY_AUTH_FILE'], 'docker'],
  ])('reads %s', async (_names, files, variables, user) => {
    const { directory, find } = await home(files)
    const values: NodeJS.ProcessEnv = {
      REGISTRY_AUTH_FILE: join(directory, 'chosen.json'),
      DOCKER_CONFIG: join(directory, 'elsewhere'),
      XDG_RUNTIME_DIR: join(directory, 'run'),
      XDG_CONFIG_HOME: join(directory, 'xdg'),
      DOCKER_AUTH_CONFIG: JSON.stringify(entry('inline')),
    }
    const env = Object.fromEntries(variables.map((name) => [name, values[name]]))
    expect(await find('registry.example', { env })).toEqual(user && { username: user, password: 'x' })
  })

  it('reads the one file that it is given alone', async () => {
    const { directory, find } = await home({ ...ALL, 'mine.json': {} })
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify(entry('inline')) }
    expect(await find('registry.example', { env, path: join(directory, 'mine.json') })).toBe(undefined)
    expect(await find('registry.example', { env, path: join(directory, 'chosen.json') })).toEqual({
      username: 'chosen',
      password: 'x',
    })
  })

  it('does not pass over a file that it cannot read', async () => {
    const { find } = await home({ ...ALL, [DOCKER]: '{' })
    await expect(find('registry.example')).rejects.toMatchObject({ code: 'UNKNOWN' })
  })

  it('names a variable that holds no JSON', async () => {
    const { find } = await home({})
    await expect(find('registry.example', { env: { DOCKER_AUTH_CONFIG: 'SECRET' } })).rejects.toMatchObject({
      message: 'cannot read the credentials in $DOCKER_AUTH_CONFIG: not JSON',
    })
  })
})

describe('dockerConfig, with helpers', () => {
  it('asks the helper of the registry, or else the one for all', async () => {
    const { directory, find } = await home({
      [DOCKER]: { credsStore: 'all', credHelpers: { 'special.example': 'one', 'empty.example': '' } },
    })
    await writeHelper(directory, 'all', { 'registry.example': ['all', 'a'], 'empty.example': ['all', 'e'] })
    await writeHelper(directory, 'one', { 'special.example': ['one', 'b'] })
    expect(await find('registry.example')).toEqual({ username: 'all', password: 'a' })
    expect(await find('special.example')).toEqual({ username: 'one', password: 'b' })
    expect(await find('empty.example')).toEqual({ username: 'all', password: 'e' })
    expect(await find('unknown.example')).toBe(undefined)
  })

  it('asks for Docker Hub by the key that docker stores it under', async () => {
    const { directory, find } = await home({ [DOCKER]: { credsStore: 'all' } })
    await writeHelper(directory, 'all', { 'https://index.docker.io/v1/': ['hub', 'a'] })
    expect(await find('docker.io', { repository: 'library/ubuntu' })).toEqual({ username: 'hub', password: 'a' })
  })

  it('reads the file, and the next, where the helper has nothing', async () => {
    const { directory, find } = await home({
      [DOCKER]: { credsStore: 'all', auths: { 'file.example': auth('file:x'), 'registry.example': {} } },
      [PODMAN]: { auths: { 'registry.example': auth('podman:x') } },
    })
    await writeHelper(directory, 'all', {})
    expect(await find('file.example')).toEqual({ username: 'file', password: 'x' })
    expect(await find('registry.example')).toEqual({ username: 'podman', password: 'x' })
  })

  it('does not pass over a helper that is not there', async () => {
    const { find } = await home({ [DOCKER]: { credsStore: 'wharfage-nowhere' } })
    await expect(find('registry.example')).rejects.toMatchObject({
      code: 'UNKNOWN',
      message:
        'the credential helper docker-credential-wharfage-nowhere is not there: install it, or take it out of the file',
    })
  })
})

it('dockerConfig refuses options that it does not have', () => {
  // @ts-expect-error a name of somebody's memory
  expect(() => dockerConfig({ file: 'x' })).toThrow(
    new TypeError('dockerConfig() has no option "file": there are path, env, home, helperTimeoutMs'),
  )
})
