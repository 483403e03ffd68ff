import { describe, expect, it } from 'vitest'
import { DIGEST, outcome, UUID } from './outcome.ts'

const A = 'a'.repeat(64)

describe('digests', () => {
  const wrong = [
    ...[
      '',
      ':',
      'sha256',
      'sha256:',
      `:${A}`,
      A,
      `sha256${A}`,
      `sha256-${A}`,
      `sha256::${A}`,
      `sha256:${A}:`,
      `sha256:${A} `,
    ],
    ...[
      `sha256:${A.slice(1)}`,
      `sha256:${A}a`,
      `sha512:${A}`,
      `sha256:${A}${A}`,
      `sha512:${A}${A}a`,
      'sha256:baddigeststring',
    ],
    ...[
      `sha256:${'A'.repeat(64)}`,
      `SHA256:${A}`,
      `Sha256:${A}`,
      `sha256:${'g'.repeat(64)}`,
      `sha256:${'٠'.repeat(64)}`,
    ],
    ...[`sha384:${'a'.repeat(96)}`, `sha1:${'a'.repeat(40)}`, `md5:${'a'.repeat(32)}`, `blake3:${A}`, `sha3-256:${A}`],
    ...[`sha256+b64u:${A}`, `sha256.x:${A}`, `sha256_x:${A}`, `multihash+base58:Qm${A}`, `tarsum.v1+sha256:${A}`],
    ...[`${DIGEST},${DIGEST}`, `sha256:sha256:${A}`, `__proto__:${A}`, `constructor:${A}`, `toString:${A}`],
    ...[
      `sha256:${'a'.repeat(63)}\n`,
      `sha256:${'a'.repeat(63)}%`,
      `sha256:0x${'a'.repeat(62)}`,
      `sha256:${'a'.repeat(5000)}`,
    ],
    ...[`sha256:..%2f..%2f${'a'.repeat(54)}`, `sha256:..${'a'.repeat(62)}`, ` ${DIGEST}`, `\ufeff${DIGEST}`],
  ]
  const inPath = wrong.filter((digest) => digest.includes(':'))

  it.each(inPath)('are refused in a path: %j', async (digest) => {
    const refusal = [400, 'DIGEST_INVALID']
    for (const method of ['GET', 'DELETE']) {
      expect(await outcome(method, `/v2/a/blobs/${digest}`)).toEqual(refusal)
      expect(await outcome(method, `/v2/a/manifests/${digest}`)).toEqual(refusal)
    }
    expect(await outcome('PUT', `/v2/a/manifests/${digest}`, { body: '{}' })).toEqual(refusal)
    expect(await outcome('GET', `/v2/a/referrers/${digest}`)).toEqual(refusal)
  })

  it.each(wrong)('are refused in a query: %j', async (digest) => {
    const refusal = [400, 'DIGEST_INVALID']
    const text = encodeURIComponent(digest)
    expect(await outcome('PUT', `/v2/a/blobs/uploads/${UUID}?digest=${text}`)).toEqual(refusal)
    expect(await outcome('POST', `/v2/a/blobs/uploads/?digest=${text}`, { body: 'x' })).toEqual(refusal)
    expect(await outcome('POST', `/v2/a/blobs/uploads/?mount=${text}&from=b`)).toEqual(refusal)
    const algorithm = text.split('%3A', 1)[0]
    if (algorithm !== 'sha256' && algorithm !== 'sha512') {
      expect(await outcome('POST', `/v2/a/blobs/uploads/?digest-algorithm=${algorithm}`)).toEqual(refusal)
    }
    if (digest === '') return // as good as no `last`
    expect(await outcome('GET', `/v2/a/referrers/${DIGEST}?last=${text}`)).toEqual(refusal)
  })
})
