import { type KeyLike, sign, X509Certificate } from 'node:crypto'

/** A list of revoked certificates (RFC 5280, 5), as PEM, of an authority that has nothing but a common name and an EC key. */
export function revocationList(
  authority: { readonly cert: string; readonly key: KeyLike },
  revoked: readonly string[],
): string {
  const now = Date.now()
  const algorithm = sequence(oid('2a8648ce3d040302')) // ecdsa-with-SHA256
  const name = new X509Certificate(authority.cert).subject.replace(/^CN=/, '')
  const issuer = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))))
  const entries = revoked.map((cert) => {
    const serial = Buffer.from(new X509Certificate(cert).serialNumber.padStart(2, '0'), 'hex')
    return sequence(der(2, (serial[0] ?? 0) < 0x80 ? serial : Buffer.concat([Buffer.of(0), serial])), time(now - HOUR))
  })
  const list = sequence(
    ...[der(2, Buffer.of(1)), algorithm, issuer, time(now - HOUR), time(now + HOUR)],
    ...(entries.length > 0 ? [sequence(...entries)] : []),
  )
  const signature = sign('sha256', list, authority.key)
  const whole = sequence(list, algorithm, der(3, Buffer.concat([Buffer.of(0), signature])))
  return `-----BEGIN X509 CRL-----\n${whole.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END X509 CRL-----\n`
}

const HOUR = 3_600_000

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function oid(hex: string): Buffer {
  return der(6, Buffer.from(hex, 'hex'))
}

/** UTCTime. */
function time(at: number): Buffer {
  return der(0x17, Buffer.from(`${new Date(at).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`))
}
