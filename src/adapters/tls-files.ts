import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { consoleLogger, type Logger } from '../logger.ts'

export interface TlsOptions {
  /** File with the certificate, and behind it those that lead to an authority; PEM. */
  readonly cert: string | URL
  /** File with its private key; PEM, without a passphrase. */
  readonly key: string | URL
  /** File with the authorities whose certificates clients have to show; PEM. Default: clients show none. */
  readonly clientCa?: string | URL
  /** Whether a client without such a certificate is served all the same, as somebody unknown. Default: `require`. */
  readonly clientCertificates?: 'require' | 'request'
  /** File with the certificates that those authorities have revoked; PEM. */
  readonly crl?: string | URL
  /** Default: `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** How often the files are looked at, in milliseconds. Default: 10,000. */
  readonly reloadMs?: number
}

/** The files' content; what changes all at once. */
export interface TlsContent {
  readonly cert: string
  readonly key: string
  readonly ca?: string
  readonly crl?: string
}

/**
 * Reads and checks them.
 *
 * @throws `Error` that says which file cannot be used, and why
 */
export async function readTlsFiles(options: TlsOptions, now: () => number = Date.now): Promise<TlsContent> {
  const [cert, key, ca, crl] = await Promise.all([
    read('certificate', options.cert),
    read('key', options.key),
    options.clientCa && read('client authorities', options.clientCa),
    options.crl && read('revoked certificates', options.crl),
  ])
  const certificate = readCertificate(options.cert, cert)
  if (!certificate.checkPrivateKey(readKey(options.key, key))) {
    throw new Error(`the key ${options.key} is not that of the certificate ${options.cert}`)
  }
  if (new Date(certificate.validTo).getTime() < now()) {
    throw new Error(`the certificate ${options.cert} has expired: it was valid until ${certificate.validTo}`)
  }
  if (ca) readCertificate(options.clientCa ?? '', ca)
  const content = { cert, key, ...(ca && { ca }), ...(crl && { crl }) }
  try {
    createSecureContext(secureContext(content, options))
  } catch (cause) {
    throw new Error(`the TLS files cannot be used: ${(cause as Error).message}`, { cause })
  }
  return content
}

/** For `server.setSecureContext`, which forgets what it is not told again. */
export function secureContext(content: TlsContent, { minVersion = 'TLSv1.2' }: TlsOptions): SecureContextOptions {
  return { ...content, minVersion }
}

/**
 * Calls `use` with each new content of the files: all of them together, and only where they can be used. Certificates are replaced a file
 * at a time: a pair that does not fit together yet is looked at again, and logged once.
 *
 * @returns what ends it
 */
export function watchTlsFiles(
  options: TlsOptions,
  first: TlsContent,
  use: (content: TlsContent) => void,
  logger: Logger = consoleLogger,
): () => void {
  let current = JSON.stringify(first)
  let problem: string | undefined
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    try {
      const content = await readTlsFiles(options)
      problem = undefined
      if (JSON.stringify(content) === current) return
      current = JSON.stringify(content)
      use(content)
      logger.info({ cert: String(options.cert) }, 'a changed certificate is in use')
    } catch (error) {
      const message = (error as Error).message
      if (message !== problem)
        logger.error({ err: error }, 'changed TLS files are not usable, the last ones stay in use')
      problem = message
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), options.reloadMs ?? 10_000).unref()
  return () => clearInterval(timer)
}

async function read(what: string, file: string | URL): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reasons: Record<string, string> = { ENOENT: 'no such file', EACCES: 'this process may not read it' }
    throw new Error(`the ${what} ${file} cannot be read: ${reasons[code ?? ''] ?? message}`, { cause })
  }
}

function readCertificate(file: string | URL, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new Error(`${file} is no certificate in PEM: -----BEGIN CERTIFICATE-----`, { cause })
  }
}

/** Without the reason of what failed: it may quote the key. */
function readKey(file: string | URL, pem: string) {
  try {
    return createPrivateKey(pem)
  } catch {
    const encrypted = /ENCRYPTED/.test(pem) ? ': it has a passphrase, take that off with openssl pkey' : ''
    throw new Error(`${file} is no private key in PEM that can be used${encrypted}`)
  }
}
