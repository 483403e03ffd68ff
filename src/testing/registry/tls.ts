/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface Certificates {
  /** What clients must be told to trust, as PEM. */
  readonly ca: string
  readonly server: KeyPair
  /** What a client shows that has to prove itself by a certificate. */
  readonly client: KeyPair
}

/** What we need of `selfsigned`. */
type Generate = typeof import('selfsigned').generate

/** Days may be short: a test is over in minutes. */
const LIFETIME_MS = 24 * 60 * 60 * 1000

/**
 * A certificate authority made on the spot, and what it vouches for: `127.0.0.1`, `localhost`, and one client.
 *
 * @throws `TypeError` when the package `selfsigned` is not installed
 */
export async function makeCertificates(): Promise<Certificates> {
  const generate = await loadGenerate()
  const now = Date.now()
  const common = {
    keyType: 'ec',
    algorithm: 'sha256',
    // Clocks of containers and their hosts differ by seconds.
    notBeforeDate: new Date(now - 60_000),
    notAfterDate: new Date(now + LIFETIME_MS),
  } as const
  const ca = await generate([{ name: 'commonName', value: 'a test registry' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const issue = async (name: string, usage: { serverAuth: boolean } | { clientAuth: boolean }): Promise<KeyPair> => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
      ...common,
      ca: { key: ca.private, cert: ca.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', ...usage },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ],
    })
    return { cert, key }
  }
  const [server, client] = await Promise.all([
    issue('localhost', { serverAuth: true }),
    issue('a client', { clientAuth: true }),
  ])
  return { ca: ca.cert, server, client }
}

async function loadGenerate(): Promise<Generate> {
  try {
    return (await import('selfsigned')).generate
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw new TypeError(
      'startRegistry({ tls: true }) needs the package selfsigned: npm install --save-dev selfsigned',
      {
        cause: error,
      },
    )
  }
}
