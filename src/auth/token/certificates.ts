import { X509Certificate } from 'node:crypto'
import { checkOptions, kindOf } from '../../arguments.ts'
import type { Logger } from '../../logger.ts'
import { watchedFile } from '../watched-file.ts'
import { type KeyHint, matching, type TokenKeys, type TrustedKey, trustedKey } from './trusted-key.ts'

export interface CertificatesOptions {
  /** Certificates in PEM, one after the other, as Distribution's `rootcertbundle`; read again when it changes. */
  readonly file: string | URL
  /** Default: warnings and errors to standard error. */
  readonly logger?: Logger
  /** @internal Milliseconds since 1970. */
  readonly date?: () => number
}

const MAX_BUNDLE_BYTES = 1024 * 1024
const MAX_CHAIN = 10

interface Bundle {
  readonly roots: readonly X509Certificate[]
  readonly keys: readonly TrustedKey[]
}

/**
 * Keys of an issuer, by certificates: tokens name one of them by its key's id, or bring a chain (`x5c`) that ends in one of them.
 */
export function certificates(options: CertificatesOptions): TokenKeys {
  checkOptions('certificates()', options, { file: true, logger: true, date: false })
  const { file, logger, date = Date.now } = options ?? {}
  if (typeof file !== 'string' && !(file instanceof URL)) {
    throw new TypeError(`the option "file" must be the path of a PEM file, not ${kindOf(file)}`)
  }
  const bundle = watchedFile({ file, parse: parseBundle, maxBytes: MAX_BUNDLE_BYTES, logger })
  return {
    find: async (hint) => {
      const { roots, keys } = await bundle.current()
      if (hint.x5c === undefined) return matching(keys, hint)
      const leaf = verifiedLeaf(hint.x5c, roots, new Date(date()))
      // The key is what the chain proves; a name that the token gives it beside that proves nothing.
      return leaf === undefined ? [] : matching(keyOf(leaf), { alg: hint.alg })
    },
  }
}

function parseBundle(text: string): Bundle {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('expected certificates in PEM: -----BEGIN CERTIFICATE-----')
  const roots = blocks.map((block) => new X509Certificate(block))
  return { roots, keys: roots.flatMap(keyOf) }
}

/** Of a chain that leads, valid at `date`, from the signer to one of `roots`. */
function verifiedLeaf(
  x5c: NonNullable<KeyHint['x5c']>,
  roots: readonly X509Certificate[],
  date: Date,
): X509Certificate | undefined {
  if (x5c.length === 0 || x5c.length > MAX_CHAIN) return undefined
  let chain: readonly X509Certificate[]
  try {
    chain = x5c.map((certificate) => new X509Certificate(Buffer.from(certificate, 'base64')))
  } catch {
    return undefined
  }
  const [leaf] = chain
  for (const [i, certificate] of chain.entries()) {
    if (!isValidAt(certificate, date) || (i > 0 && !certificate.ca)) return undefined
    if (roots.some((root) => root.raw.equals(certificate.raw))) return leaf
    const root = roots.find((root) => root.ca && isValidAt(root, date) && isIssuedBy(certificate, root))
    if (root !== undefined) return leaf
    const issuer = chain[i + 1]
    if (issuer === undefined || !isIssuedBy(certificate, issuer)) return undefined
  }
  return undefined
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function isValidAt({ validFrom, validTo }: X509Certificate, date: Date): boolean {
  return new Date(validFrom) <= date && date <= new Date(validTo)
}

/** None of a kind that signs no tokens: a bundle may hold authorities of any. */
function keyOf({ publicKey }: X509Certificate): readonly TrustedKey[] {
  try {
    return [trustedKey(publicKey)]
  } catch {
    return []
  }
}
