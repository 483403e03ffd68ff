import { describe, expect, it } from 'vitest'
import { basicAccess, tokenIssuer } from '../../src/auth/index.ts'
import type { AccessDecision } from '../../src/http/audit.ts'
import { createHandler } from '../../src/http/handler.ts'
import { client, failing, read, recordingLogger, requestOf } from '../http/support.ts'

const CANARY = 'c4n4ry-hunter2'
const basic = (password: string) => `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`
const encoded = basic(CANARY).slice('Basic '.length)

describe('S08, GHSA-c37v-3c8w-crq8: secrets', () => {
  it('of clients are in no answer, no line of the log and no decision', async () => {
    const logger = recordingLogger()
    const decisions: AccessDecision[] = []
    const answers: string[] = []
    for (const access of [
      basicAccess({ check: () => undefined }),
      basicAccess({ check: () => Promise.reject(new Error('no database')) }),
      tokenIssuer({ check: () => undefined }),
    ]) {
      const { send } = client({ access, logger, audit: (decision) => void decisions.push(decision) })
      const form = { 'content-type': 'application/x-www-form-urlencoded' }
      for (const [method, url, options] of [
        ['GET', '/v2/', { headers: { authorization: basic(CANARY) } }],
        ['GET', '/v2/', { headers: { authorization: `Bearer ${CANARY}.${CANARY}.${CANARY}` } }],
        ['GET', '/v2/', { headers: { authorization: CANARY } }],
        ['GET', '/v2/_wharfage/token?scope=repository:a:pull', { headers: { authorization: basic(CANARY) } }],
        ['POST', '/v2/_wharfage/token', { headers: form, body: `grant_type=password&username=a&password=${CANARY}` }],
        ['POST', '/v2/_wharfage/token', { headers: form, body: `grant_type=refresh_token&refresh_token=${CANARY}` }],
      ] as const) {
        const { status, headers, text } = await send(method, url, options)
        answers.push(JSON.stringify([status, headers, text]))
      }
    }
    expect(answers.length).toBe(18)
    const said = JSON.stringify([answers, decisions]) + logger.lines.map(textOf).join()
    for (const secret of [CANARY, encoded]) expect(said).not.toContain(secret)
  })

  it('of the storage are in no answer', async () => {
    const cause = new Error(`https://bucket.example/key?X-Amz-Signature=${CANARY}`)
    const error = Object.assign(new Error(`EACCES: /srv/registry/${CANARY}`, { cause }), { path: CANARY })
    const handler = createHandler(failing(error), {
      access: () => ({ subject: 'alice', allows: () => true }),
      logger: recordingLogger(),
    })
    for (const url of ['/v2/a/tags/list', '/v2/_catalog', '/v2/a/manifests/x', '/v2/a/blobs/uploads/']) {
      const response = await handler(requestOf(url.endsWith('/') ? 'POST' : 'GET', url))
      const { status, headers, text } = await read(response ?? expect.unreachable())
      expect([status, text]).toEqual([500, '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n'])
      expect(JSON.stringify(headers)).not.toContain(CANARY)
    }
  })
})

function textOf({ fields, message }: { fields: object; message: string }): string {
  return `${message} ${Object.values(fields)
    .map((value) => (value instanceof Error ? `${value.stack} ${String(value.cause)}` : JSON.stringify(value)))
    .join(' ')}`
}
