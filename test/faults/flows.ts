import { expect } from 'vitest'
import { digestOf } from '../../src/spec/digest.ts'
import { seededBytes } from '../../src/testing/seeded.ts'
import type { Answer, SendOptions } from '../http/support.ts'

/** Sends one request; rejects when the connection breaks, as a client sees it. */
export type Ask = (method: string, url: string, options?: SendOptions) => Promise<Answer>

/** What one client wants of a registry. */
export interface Flow {
  readonly name: string
  /** What has to be there before. */
  prepare?(ask: Ask): Promise<void>
  /** Once through, up to the first answer that is not what was wanted, and what is remembered of it for another time. */
  run(ask: Ask): Promise<Attempt>
  /** After a first attempt that failed: what a client does then. @returns whether it had to begin anew */
  again(ask: Ask, attempt: Attempt): Promise<boolean>
  /** Whether what was answered with success is so. */
  verify(ask: Ask): Promise<void>
}

export interface Attempt {
  readonly answers: readonly Answer[]
  readonly location?: string
}

const INDEX = 'application/vnd.oci.image.index.v1+json'
const EMPTY = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] }))

function headerOf(answer: Answer, name: string): string {
  return String(answer.headers[name] ?? '')
}

/** Goes on with an upload from where the registry says it stands. */
async function finish(ask: Ask, location: string, content: Buffer): Promise<boolean> {
  const digest = digestOf(content)
  const status = await ask('GET', location)
  if (status.status === 204) {
    const [, last] = /^0-(\d+)$/.exec(headerOf(status, 'range')) ?? []
    const offset = last === undefined || last === '0' ? 0 : Number(last) + 1
    const rest = content.subarray(offset)
    const range = rest.length > 0 && { 'content-range': `${offset}-${content.length - 1}` }
    const done = await ask('PUT', `${location}?digest=${digest}`, { headers: { ...range }, body: rest })
    if (done.status === 201) return false
    // Being finished already by the request that failed: that is repeated as it was.
    const repeated = await ask('PUT', `${location}?digest=${digest}`)
    if (repeated.status === 201) return false
  } else {
    expect([status.status, status.error.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    const repeated = await ask('PUT', `${location}?digest=${digest}`)
    if (repeated.status === 201) return false
  }
  const whole = await ask('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, { body: content })
  expect(whole.status).toBe(201)
  return true
}

async function verifyBlob(ask: Ask, repository: string, content: Buffer): Promise<void> {
  const pulled = await ask('GET', `/v2/${repository}/blobs/${digestOf(content)}`)
  expect([pulled.status, pulled.body.equals(content)]).toEqual([200, true])
}

/** Pushes in steps; each but the first knows the location. */
function uploadFlow(
  name: string,
  content: Buffer,
  steps: readonly ((ask: Ask, location: string) => Promise<Answer>)[],
): Flow {
  return {
    name,
    async run(ask) {
      const answers: Answer[] = []
      let location = ''
      for (const step of steps) {
        const answer = await step(ask, location)
        answers.push(answer)
        if (answer.status >= 400) break
        location ||= headerOf(answer, 'location')
      }
      return { answers, location }
    },
    again: (ask, { location }) => finish(ask, location || '/v2/team/app/blobs/uploads/none', content),
    verify: (ask) => verifyBlob(ask, 'team/app', content),
  }
}

/** One request that may be repeated as it is; `settled` are the answers that a second time may get, when the first had its effect. */
function requestFlow(
  name: string,
  request: (ask: Ask) => Promise<Answer>,
  settled: readonly number[],
  more: Pick<Flow, 'verify'> & Partial<Flow>,
): Flow {
  return {
    name,
    run: async (ask) => ({ answers: [await request(ask)] }),
    again: async (ask) => {
      expect(settled).toContain((await request(ask)).status)
      return false
    },
    ...more,
  }
}

const UPLOADS = '/v2/team/app/blobs/uploads/'

/** @param largeBytes - of the larger blobs: more than a part, where the store has parts */
export function flows(largeBytes: number): readonly Flow[] {
  const small = seededBytes(10_000, 1)
  const large = seededBytes(largeBytes, 2)
  const contents = { small: Buffer.from(small), large: Buffer.from(large) }
  const uploads = Object.entries(contents).flatMap(([size, content]) => {
    const digest = digestOf(content)
    const half = Math.floor(content.length / 2)
    return [
      uploadFlow(`POST of a ${size} blob`, content, [
        (ask) => ask('POST', `${UPLOADS}?digest=${digest}`, { body: content }),
      ]),
      uploadFlow(`POST and PUT of a ${size} blob`, content, [
        (ask) => ask('POST', UPLOADS),
        (ask, location) => ask('PUT', `${location}?digest=${digest}`, { body: content }),
      ]),
      uploadFlow(`POST, PATCH and PUT of a ${size} blob`, content, [
        (ask) => ask('POST', UPLOADS),
        (ask, location) => ask('PATCH', location, { body: content }),
        (ask, location) => ask('PUT', `${location}?digest=${digest}`),
      ]),
      uploadFlow(`a ${size} blob in chunks`, content, [
        (ask) => ask('POST', UPLOADS),
        (ask, location) =>
          ask('PATCH', location, {
            headers: { 'content-range': `0-${half - 1}` },
            body: content.subarray(0, half),
          }),
        (ask, location) =>
          ask('PUT', `${location}?digest=${digest}`, {
            headers: { 'content-range': `${half}-${content.length - 1}` },
            body: content.subarray(half),
          }),
      ]),
    ]
  })
  const push = (repository: string) => async (ask: Ask) => {
    const url = `/v2/${repository}/blobs/uploads/?digest=${digestOf(contents.small)}`
    await ask('POST', url, { body: contents.small })
    for (const tag of ['v1', 'v2']) {
      await ask('PUT', `/v2/${repository}/manifests/${tag}`, { headers: { 'content-type': INDEX }, body: EMPTY })
    }
  }
  const blob = `/v2/team/app/blobs/${digestOf(contents.small)}`
  const manifest = `/v2/team/app/manifests/${digestOf(EMPTY)}`
  const gone = (url: string) => async (ask: Ask) => expect((await ask('GET', url)).status).toBe(404)
  const reads = (name: string, method: string, url: string, right: (answer: Answer) => void): Flow => {
    const request = async (ask: Ask) => {
      const answer = await ask(method, url)
      // It is there: whatever goes wrong, nobody may say that it is not.
      if (answer.status < 499) right(answer)
      return answer
    }
    return requestFlow(name, request, [200], { prepare: push('team/app'), verify: async () => {} })
  }
  return [
    ...uploads,
    requestFlow(
      'a mount',
      (ask) => ask('POST', `/v2/team/mounted/blobs/uploads/?mount=${digestOf(contents.small)}&from=team/app`),
      [201],
      { prepare: push('team/app'), verify: (ask) => verifyBlob(ask, 'team/mounted', contents.small) },
    ),
    requestFlow(
      'a manifest with two tags',
      (ask) => ask('PUT', `${manifest}?tag=a&tag=b`, { headers: { 'content-type': INDEX }, body: EMPTY }),
      [201],
      {
        verify: async (ask) => {
          for (const tag of ['a', 'b']) {
            const answer = await ask('GET', `/v2/team/app/manifests/${tag}`)
            expect([answer.status, answer.body.equals(EMPTY)]).toEqual([200, true])
          }
        },
      },
    ),
    requestFlow('the deletion of a tag', (ask) => ask('DELETE', '/v2/team/app/manifests/v1'), [202, 404], {
      prepare: push('team/app'),
      verify: gone('/v2/team/app/manifests/v1'),
    }),
    requestFlow('the deletion of a manifest', (ask) => ask('DELETE', manifest), [202, 404], {
      prepare: push('team/app'),
      verify: gone(manifest),
    }),
    requestFlow('the deletion of a blob', (ask) => ask('DELETE', blob), [202, 404], {
      prepare: push('team/app'),
      verify: gone(blob),
    }),
    reads('a pull of a blob', 'GET', blob, ({ status, body }) =>
      expect([status, body.equals(contents.small)]).toEqual([200, true]),
    ),
    reads('a HEAD of a blob', 'HEAD', blob, ({ status }) => expect(status).toBe(200)),
    reads('a pull of a manifest', 'GET', '/v2/team/app/manifests/v1', ({ status, body }) =>
      expect([status, body.equals(EMPTY)]).toEqual([200, true]),
    ),
    reads('a list of tags', 'GET', '/v2/team/app/tags/list', ({ status, text }) =>
      expect([status, text.trim()]).toEqual([200, '{"name":"team/app","tags":["v1","v2"]}']),
    ),
    reads('the catalog', 'GET', '/v2/_catalog', ({ status, text }) =>
      expect([status, text.trim()]).toEqual([200, '{"repositories":["team/app"]}']),
    ),
  ]
}
