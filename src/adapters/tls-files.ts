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
  /**
   * File with the lists of certificates that those authorities have revoked; PEM. One of each authority: without its list, or with one
   * that is out of date, none of its certificates is taken.
   */
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
  /** One certificate each, as the next are. */
  readonly ca?: string[]
  /** Of several lists in one text, Node reads the first. */
  readonly crl?: string[]
}

/**
 * Reads and checks them.
 *
 * @throws `Error` that says which file cannot be used, and why
 */
export async function readTlsFiles(options: TlsOptions): Promise<TlsContent> {
  const { clientCa, crl: crlFile } = options
  const [cert, key, ca, crl] = await Promise.all([
    read('certificate', options.cert),
    read('key', options.key),
    clientCa === undefined ? undefined : read('client authorities', clientCa),
    crlFile === undefined ? undefined : read('revoked certificates', crlFile),
  ])
  if (!readCertificate(options.cert, cert).checkPrivateKey(readKey(options.key, key))) {
    throw new Error(`the key ${options.key} is not that of the certificate ${options.cert}`)
  }
  const content = {
    cert,
    key,
    ...(clientCa !== undefined && ca !== undefined && { ca: readAuthorities(clientCa, ca) }),
    ...(crlFile !== undefined && crl !== undefined && { crl: blocksOf(crlFile, crl, 'X509 CRL') }),
  }
  try {
    createSecureContext(secureContext(content, options))
  } catch (cause) {
    throw new Error(`the TLS files cannot be used: ${(cause as Error).message}`, { cause })
  }
  return content
}

/** What clients have against the dates of the certificate. It is served all the same: they say so, and some do not look. */
function dateProblem({ cert }: TlsContent, file: string | URL): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert)
  if (Date.parse(validTo) < Date.now()) return `the certificate ${file} has expired: it was valid until ${validTo}`
  if (Date.parse(validFrom) > Date.now())
    return `the certificate ${file} is not valid yet: it will be from ${validFrom}`
  return undefined
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
  const cert = String(options.cert)
  let current = JSON.stringify(first)
  let problem: string | undefined
  let looking = false
  let warning: string | undefined
  const checkDates = (content: TlsContent) => {
    const found = dateProblem(content, options.cert)
    if (found !== undefined && found !== warning) logger.warn({ cert }, found)
    warning = found
  }
  checkDates(first)
  const look = async () => {
    if (looking) return
    looking = true
    try {
      const content = await readTlsFiles(options)
      checkDates(content)
      const isChanged = JSON.stringify(content) !== current
      if (isChanged) {
        current = JSON.stringify(content)
        use(content)
      }
      // Whoever saw that they were not usable sees as well when they are.
      if (problem !== undefined) logger.warn({ cert }, 'the TLS files are usable again, and in use')
      else if (isChanged) logger.info({ cert }, 'a changed certificate is in use')
      problem = undefined
    } catch (error) {
      const reason = (error as Error).message
      if (reason !== problem)
        logger.error({ cert, reason }, 'changed TLS files are not usable, the last ones stay in use')
      problem = reason
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
    const reasons: Record<string, string> = {
      ...{ ENOENT: 'no such file', EISDIR: 'not a file', EACCES: 'this process may not read it' },
    }
    throw new Error(`the ${what} ${file} cannot be read: ${reasons[code ?? ''] ?? message}`, { cause })
  }
}

function readCertificate(file: string | URL, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new Error(`${file} is no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----`, { cause })
  }
}

/** As {@link blocksOf}. */
function readAuthorities(file: string | URL, pem: string): string[] {
  const blocks = blocksOf(file, pem, 'CERTIFICATE')
  for (const block of blocks) readCertificate(file, block)
  return blocks
}

/**
 * The blocks of a PEM file, each of them whole. Of an empty file, as one is for a moment that is being written, that is an error: Node
 * takes no authorities for those that browsers trust, and no list for nothing revoked.
 */
function blocksOf(file: string | URL, pem: string, label: string): string[] {
  const blocks = [...pem.matchAll(/-----BEGIN ([A-Z\d ]+)-----[^-]+-----END \1-----/g)]
  const isOfTheKind = blocks.every(([, found]) => found === label)
  if (isOfTheKind && blocks.length > 0 && blocks.length === pem.split('-----BEGIN ').length - 1) {
    return blocks.map(([block]) => block)
  }
  throw new Error(`${file} does not consist of PEM blocks that begin with -----BEGIN ${label}-----`)
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
