import { expect } from 'vitest'
import { corpus } from './corpus.ts'
import { DIGEST, outcome, UUID } from './outcome.ts'

const A = 'a'.repeat(64)

const rows = corpus('digests')

const REFUSAL = [400, 'DIGEST_INVALID']

const wrong: readonly string[] = [
  // The parts
  ...['', ':', 'sha256', 'sha256:', `:${A}`, A, `sha256${A}`, `sha256-${A}`, `sha256::${A}`, `sha256:${A}:`],
  ...[`sha256;${A}`, `sha256=${A}`, `sha256@${A}`, `sha256：${A}`, `sha256%3A${A}`, `sha256:${A}@sha256:${A}`],
  // Lengths
  ...[`sha256:${A.slice(1)}`, `sha256:${A}a`, `sha512:${A}`, `sha256:${A}${A}`, `sha512:${A}${A}a`],
  ...[`sha512:${A}${A.slice(1)}`, 'sha256:a', 'sha256:baddigeststring', `sha256:${'a'.repeat(5000)}`],
  // Letters and digits
  ...[
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}A`,
    `sha256:A${'a'.repeat(63)}`,
    `sha512:${'F'.repeat(128)}`,
  ],
  ...[`sha256:${'g'.repeat(64)}`, `sha256:${'٠'.repeat(64)}`, `sha256:${'ａ'.repeat(64)}`, `sha256:${'a'.repeat(63)}а`],
  ...[
    `sha256:0x${'a'.repeat(62)}`,
    `sha256:-${'a'.repeat(63)}`,
    `sha256:+${'a'.repeat(63)}`,
    `sha256:${'a'.repeat(63)}_`,
  ],
  ...[`sha256:${'a'.repeat(63)}=`, `sha256:${'YWFh'.repeat(11)}`, `sha256:${'a'.repeat(32)}-${'a'.repeat(31)}`],
  // Blanks and controls
  ...[
    `sha256:${A} `,
    ` ${DIGEST}`,
    `sha256: ${A}`,
    `sha256 :${A}`,
    `\t${DIGEST}`,
    `\ufeff${DIGEST}`,
    `${DIGEST}\u200b`,
  ],
  ...[
    `sha256:${'a'.repeat(63)}\n`,
    `${DIGEST}\n`,
    `${DIGEST}\r\nx: y`,
    `${DIGEST}\u0000`,
    `sha256:${'a'.repeat(63)}\u0000`,
  ],
  // Algorithms
  ...[`SHA256:${A}`, `Sha256:${A}`, `sha-256:${A}`, `sha2-256:${A}`, `ſha256:${A}`, `sha0:${A}`, `sha2566:${A}`],
  ...[`sha384:${'a'.repeat(96)}`, `sha224:${'a'.repeat(56)}`, `sha1:${'a'.repeat(40)}`, `md5:${'a'.repeat(32)}`],
  ...[`blake3:${A}`, `sha3-256:${A}`, `sha512-256:${A}`, `sm3:${A}`, `crc32:${'a'.repeat(8)}`, `null:${A}`],
  ...[`sha256+b64u:${A}`, `sha256.x:${A}`, `sha256_x:${A}`, `sha256+:${A}`, `+sha256:${A}`, `sha256--x:${A}`],
  ...[`multihash+base58:Qm${A}`, `tarsum.v1+sha256:${A}`, `${'x'.repeat(1000)}:${A}`],
  ...[`__proto__:${A}`, `constructor:${A}`, `toString:${A}`, `hasOwnProperty:${A}`],
  // Several
  ...[
    `${DIGEST},${DIGEST}`,
    `${DIGEST} ${DIGEST}`,
    `sha256:sha256:${A}`,
    `sha512:sha256:${A}`,
    `${DIGEST};sha512:${A}${A}`,
  ],
  // Ways out
  ...[`sha256:${'a'.repeat(63)}%`, `sha256:..%2f..%2f${'a'.repeat(54)}`, `sha256:..${'a'.repeat(62)}`],
  ...[`..:${A}`, `sha256:%2e%2e%2f${'a'.repeat(54)}`, `sha256:${'.'.repeat(64)}`, `sha256:..\\..\\${'a'.repeat(58)}`],
  ...[`sha256:$(id)${'a'.repeat(59)}`, `sha256:*${'a'.repeat(63)}`, `sha256:'${'a'.repeat(63)}`],
]

rows(
  'digests are refused in a path',
  wrong.filter((digest) => digest.includes(':')),
  async (digest) => {
    for (const method of ['GET', 'DELETE']) {
      expect(await outcome(method, `/v2/a/blobs/${digest}`)).toEqual(REFUSAL)
      expect(await outcome(method, `/v2/a/manifests/${digest}`)).toEqual(REFUSAL)
    }
    expect(await outcome('PUT', `/v2/a/manifests/${digest}`, { body: '{}' })).toEqual(REFUSAL)
    expect(await outcome('GET', `/v2/a/referrers/${digest}`)).toEqual(REFUSAL)
  },
)

rows('digests are refused in a query', wrong, async (digest) => {
  const text = encodeURIComponent(digest)
  expect(await outcome('PUT', `/v2/a/blobs/uploads/${UUID}?digest=${text}`)).toEqual(REFUSAL)
  expect(await outcome('POST', `/v2/a/blobs/uploads/?digest=${text}`, { body: 'x' })).toEqual(REFUSAL)
  expect(await outcome('POST', `/v2/a/blobs/uploads/?mount=${text}&from=b`)).toEqual(REFUSAL)
  if (digest === '') return // as good as no `last`
  expect(await outcome('GET', `/v2/a/referrers/${DIGEST}?last=${text}`)).toEqual(REFUSAL)
})

rows(
  'an algorithm is refused for an upload',
  ['', 'sha1', 'sha384', 'SHA256', 'sha256:', 'sha256 ', 'sha-256', 'sha256,sha512', 'md5', '__proto__', 'constructor'],
  async (algorithm) => {
    const url = `/v2/a/blobs/uploads/?digest-algorithm=${encodeURIComponent(algorithm)}`
    expect(await outcome('POST', url)).toEqual(REFUSAL)
  },
)
