import { describe, expect, it } from 'vitest'
import type { Access, AccessController, Grant } from '../../../src/auth/access.ts'
import { type Client, client, newRegistry } from '../support.ts'
import { CONTENT, DIGEST, OTHER, start, UPLOADS } from './upload-support.ts'

/** Pushes with at most these rights. */
function mayOnly(...allowed: readonly string[]): AccessController {
  const allows = ({ name, action }: Access) => allowed.includes(`${name}:${action}`)
  return { authorize: async () => ({ subject: 'alice', allows }) }
}

describe('mountBlob', () => {
  async function withSource(access?: AccessController): Promise<Client> {
    const registry = newRegistry()
    await registry.repository('source').blobs.put(CONTENT)
    return client(access && { access }, registry)
  }

  const mountFrom = (from: string) => `${UPLOADS}?mount=${DIGEST}&from=${from}`

  it.each([mountFrom('source'), `${UPLOADS}?mount=${DIGEST}`])('mounts, moving no bytes: %s', async (url) => {
    const { send, get } = await withSource()
    const { status, headers } = await send('POST', url)
    expect([status, headers.location, headers['docker-content-digest'], headers['content-length']]).toEqual([
      201,
      `/v2/team/app/blobs/${DIGEST}`,
      DIGEST,
      '0',
    ])
    expect((await get(`/v2/team/app/blobs/${DIGEST}`)).body.equals(CONTENT)).toBe(true)
  })

  it.each([mountFrom('elsewhere'), `${UPLOADS}?mount=${OTHER}&from=source`, `${UPLOADS}?mount=${OTHER}`])(
    'starts an upload for what is not there: %s',
    async (url) => {
      const session = await withSource()
      const location = await start(session, url)
      expect((await session.send('PUT', `${location}?digest=${DIGEST}`, { body: CONTENT })).status).toBe(201)
    },
  )

  it('starts an upload where the caller may not pull from the source, as if it were not there', async () => {
    const push = ['team/app:pull', 'team/app:push']
    const url = mountFrom('source')
    const { status, headers } = await (await withSource(mayOnly(...push))).send('POST', url)
    expect([status, headers['docker-content-digest']]).toEqual([202, undefined])
    expect((await (await withSource(mayOnly(...push, 'source:pull'))).send('POST', url)).status).toBe(201)
  })

  it('looks without from only where the caller may pull', async () => {
    const push = ['team/app:pull', 'team/app:push']
    const url = `${UPLOADS}?mount=${DIGEST}`
    expect((await (await withSource(mayOnly(...push))).send('POST', url)).status).toBe(202)
    expect((await (await withSource(mayOnly(...push, 'source:pull'))).send('POST', url)).status).toBe(201)
  })

  it('A01, CVE-2024-39897: does not take what somebody sees in the catalog for what they may pull', async () => {
    const grant: Grant = {
      subject: 'alice',
      allows: ({ name }) => name === 'team/app',
      visible: (names) => names,
    }
    const { send } = await withSource({ authorize: async () => grant })
    expect((await send('POST', `${UPLOADS}?mount=${DIGEST}`)).status).toBe(202)
    expect((await send('POST', mountFrom('source'))).status).toBe(202)
  })
})
