import { describe, expect, it } from 'vitest'
import type { AccessController } from '../../../src/auth/access.ts'
import type { Backend } from '../../../src/backend.ts'
import { createHandler } from '../../../src/http/handler.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { Registry } from '../../../src/registry.ts'
import { type Answer, read, requestOf, type SendOptions } from '../../http/support.ts'
import { MODES, type Mode } from './modes.ts'
import { POLICY, type Row } from './policy.ts'
import { ADMIN, PRINCIPALS, type Principal } from './principals.ts'
import { empty, filled, NAME, sceneOf } from './scene.ts'

const ROWS = Object.values(POLICY).flat()
const CASES = PRINCIPALS.flatMap((principal) =>
  ROWS.map((row) => ({ title: `${principal.name}: ${row.method} ${row.title}`, principal, row })),
)
const FILLED = await filled()
const EMPTY = empty()

it('is about 1,300 cases', () => {
  expect(CASES.length * MODES.length).toBeGreaterThanOrEqual(1300)
})

describe.each(MODES)('A07, CVE-2026-27771, CVE-2020-29662: access control by $name', (mode) => {
  const may = (principal: Principal, { needs }: Row) => mode.open || mode.may(principal).includes(needs)
  const allowed = CASES.filter(({ principal, row }) => may(principal, row))
  const refused = CASES.filter(({ principal, row }) => !may(principal, row))

  it.each(allowed)('lets $title', async ({ principal, row }) => {
    const changes = (row.method !== 'GET' && row.method !== 'HEAD') || namesUpload(row)
    const there = await ask(changes ? await filled() : FILLED, mode, principal, row)
    const absent = await ask(changes ? empty() : EMPTY, mode, principal, row, false)
    const expected = typeof row.there === 'number' ? row.there : row.there(mode.open ? ADMIN : principal)
    expect([there.status, absent.status]).toEqual([expected, row.absent])
    if (row.needs !== 'nothing') expect(there.asked[0]).toBe('access')
    expect(there.asked.filter((who) => who === 'access').length).toBe(row.needs === 'nothing' ? 0 : 1)
  })

  if (!mode.open) {
    it.each(refused)('refuses $title', async ({ principal, row }) => {
      const there = await ask(namesUpload(row) ? await filled() : FILLED, mode, principal, row)
      const { status, code, challenge } = mode.refusal(principal, row)
      expect(there).toMatchObject({ status, asked: ['access'] })
      expect(there.headers['www-authenticate']).toBe(challenge)
      if (row.method !== 'HEAD') expect(JSON.parse(there.text).errors).toEqual([{ code, message: expect.any(String) }])
      expect(await ask(EMPTY, mode, principal, row)).toEqual(there)
    })

    it('refuses HEAD as it does GET', async () => {
      for (const { principal, row } of refused.filter(({ row }) => row.method === 'HEAD' && !namesUpload(row))) {
        const { status, headers } = await ask(FILLED, mode, principal, { ...row, method: 'GET' })
        expect(await ask(FILLED, mode, principal, row)).toMatchObject({ status, headers, text: '' })
      }
    })
  }
})

interface Asked extends Pick<Answer, 'status' | 'headers' | 'text'> {
  /** Who was asked, in order. */
  readonly asked: readonly ('access' | 'backend')[]
}

/** @param begun - whether the upload that the request may name is one; else it is none of this registry's */
async function ask(registry: Registry, mode: Mode, principal: Principal, row: Row, begun = true): Promise<Asked> {
  const asked: ('access' | 'backend')[] = []
  const access: AccessController = {
    authorize: (...given) => {
      asked.push('access')
      return mode.access.authorize(...given)
    },
  }
  const handler = createHandler(
    watched(registry, () => asked.push('backend')),
    { access, logger: silentLogger },
  )
  const send = async (who: Principal, method: string, url: string, options: SendOptions = {}) => {
    const headers = { 'x-request-id': 'r1', ...options.headers, ...mode.credentials(who) }
    return read((await handler(requestOf(method, url, { ...options, headers }))) ?? expect.unreachable())
  }
  const owner = mode.open || mode.may(principal).includes('push') ? principal : ADMIN
  const upload = begun && namesUpload(row) && (await send(owner, 'POST', `/v2/${NAME}/blobs/uploads/`)).headers.location
  const scene = sceneOf(
    registry,
    upload ? String(upload) : `/v2/${NAME}/blobs/uploads/7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11`,
  )
  asked.length = 0
  const body = row.body?.(scene)
  const sending = { ...(row.headers && { headers: row.headers }), ...(body && { body }) }
  const { status, headers, text } = await send(principal, row.method, row.url(scene), sending)
  return { status, headers, text, asked }
}

function namesUpload(row: Row): boolean {
  return row.url(sceneOf(EMPTY, 'UPLOAD')).startsWith('UPLOAD')
}

function watched(backend: Backend, touched: () => void): Backend {
  return {
    repository: (name) => {
      touched()
      return backend.repository(name)
    },
    repositories: (options) => {
      touched()
      return backend.repositories(options)
    },
  }
}
