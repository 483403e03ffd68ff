import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Authenticate, identityAccess, type Permissions, rules, rulesFile } from '../../../src/auth/index.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { Registry } from '../../../src/registry.ts'
import { client, newRegistry } from '../../http/support.ts'
import { pushImage } from '../../support/images.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'

const RULES = [
  'library/*: anonymous pull',
  'team/{user}/**: pull, push, delete',
  '{group}/**: pull',
  'project/**: @developers pull, push',
  '**: user(root) *',
  'registry:catalog: @developers user(root) user(alice) *',
]
const NAMES = ['library/a', 'library/a/b', 'project/x', 'team/alice/app', 'team/alice2/app', 'team/bob/app']
const MISSING = `sha256:${'0'.repeat(64)}`

/** `alice`, or `dora developers` with her groups. */
const byHeader: Authenticate = ({ headers }) => {
  const [subject, ...groups] = String(headers['x-user'] ?? '').split(' ')
  return subject === undefined || subject === '' ? undefined : { subject, groups }
}

const directory = temporaryDirectories()
let registry: Registry

beforeAll(async () => {
  registry = newRegistry()
  for (const name of NAMES) await pushImage(registry.repository(name), ['x'])
})

function clientFor(permissions: Permissions) {
  const access = identityAccess({ authenticate: byHeader, permissions, challenge: 'Basic realm="x"' })
  const { send } = client({ access }, registry)
  return (user: string, method: string, url: string) =>
    send(method, url, { headers: user === '' ? {} : { 'x-user': user } })
}

describe('rules over HTTP', () => {
  const ask = (user: string, method: string, url: string) => clientFor(rules(RULES))(user, method, url)
  const pull = (name: string) => ['GET', `/v2/${name}/tags/list`] as const
  const push = (name: string) => ['POST', `/v2/${name}/blobs/uploads/`] as const
  const remove = (name: string) => ['DELETE', `/v2/${name}/blobs/${MISSING}`] as const

  it.each<[string, readonly [string, string], number]>([
    ['', pull('library/a'), 200],
    ['', pull('library/a/b'), 401],
    ['', push('library/a'), 401],
    ['', pull('team/alice/app'), 401],
    ['', ['GET', '/v2/_catalog'], 401],
    ['alice', pull('library/a'), 200],
    ['alice', push('library/a'), 403],
    ['alice', pull('team/alice/app'), 200],
    ['alice', push('team/alice/new'), 202],
    ['alice', remove('team/alice/app'), 404],
    ['alice', pull('team/alice2/app'), 403],
    ['alice', pull('team/bob/app'), 403],
    ['alice', pull('project/x'), 403],
    ['alice', ['GET', '/v2/_catalog'], 200],
    ['bob', ['GET', '/v2/_catalog'], 403],
    ['team', pull('team/alice/app'), 403],
    ['carol team', pull('team/alice/app'), 200],
    ['carol team', push('team/alice/app'), 403],
    ['carol tea', pull('team/alice/app'), 403],
    ['dora developers', pull('project/x'), 200],
    ['dora developers', push('project/x'), 202],
    ['dora developers', remove('project/x'), 403],
    ['developers', pull('project/x'), 403],
    ['root', remove('project/x'), 404],
    ['Root', pull('project/x'), 403],
  ])('%j asks for %j: %i', async (user, [method, url], status) => {
    expect((await ask(user, method, url)).status).toBe(status)
  })

  it.each([
    ['alice', ['library/a', 'team/alice/app']],
    ['dora developers', ['library/a', 'project/x']],
    ['dora developers team', ['library/a', 'project/x', 'team/alice/app', 'team/alice2/app', 'team/bob/app']],
    ['root', NAMES],
  ])('shows %s in the catalog what can be pulled: %j', async (user, repositories) => {
    const whole = await ask(user, 'GET', '/v2/_catalog')
    expect(JSON.parse(whole.text)).toEqual({ repositories })
    const { text, headers } = await ask(user, 'GET', '/v2/_catalog?n=1')
    expect(JSON.parse(text)).toEqual({ repositories: repositories.slice(0, 1) })
    expect(headers.link).toBe(`</v2/_catalog?n=1&last=${encodeURIComponent(repositories[0] ?? '')}>; rel="next"`)
    // Asked for each name, as permissions that are a plain function are.
    const permissions = rules(RULES)
    const each = await clientFor((identity, access) => permissions(identity, access))(user, 'GET', '/v2/_catalog')
    expect(each.text).toBe(whole.text)
  })

  it('follows a file', async () => {
    const file = join(await directory(), 'rules')
    await writeFile(file, RULES.join('\n'))
    const fromFile = clientFor(await rulesFile({ file, intervalMs: 0, logger: silentLogger }))
    expect((await fromFile('', ...pull('library/a'))).status).toBe(200)
    expect((await fromFile('alice', ...pull('team/alice/app'))).status).toBe(200)
    await writeFile(file, 'library/*: pull\nregistry:catalog: *')
    expect((await fromFile('', ...pull('library/a'))).status).toBe(401)
    expect((await fromFile('alice', ...pull('team/alice/app'))).status).toBe(403)
    expect((await fromFile('alice', 'GET', '/v2/_catalog')).text).toBe('{"repositories":["library/a"]}\n')
  })
})
