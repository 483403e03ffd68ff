/** Media types that a registry treats by name. Everything else is stored and served as it is. */
export const MEDIA_TYPES = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  /** The config of an artifact that needs none: the two bytes `{}`. */
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  octetStream: 'application/octet-stream',
} as const

/** Longest type and longest subtype, in characters (RFC 6838 §4.2). */
const MAX_PART_LENGTH = 127

/** Longest parameters, in characters. */
const MAX_PARAMETERS_LENGTH = 255

/**
 * Whether `text` is `type/subtype` as RFC 6838 §4.2 restricts them. Parameters are outside that grammar but not outside of
 * use (`application/vnd.dev.sigstore.bundle+json;version=0.2`): with `parameters`, printable ASCII after a `;` will do.
 */
export function isMediaType(text: string, options: { readonly parameters?: boolean } = {}): boolean {
  const slash = text.indexOf('/')
  const semicolon = text.indexOf(';')
  const end = semicolon < 0 ? text.length : trimmedEnd(text, semicolon)
  if (!isRestrictedName(text, 0, slash) || !isRestrictedName(text, slash + 1, end)) return false
  if (semicolon < 0) return true
  return options.parameters === true && text.length - semicolon <= MAX_PARAMETERS_LENGTH && isPrintable(text, semicolon)
}

/**
 * Whether a browser may run what it is given under this type. Clients choose the type of a manifest and the registry serves
 * it from its own origin.
 */
export function isActiveMediaType(mediaType: string): boolean {
  const type = mediaType.toLowerCase()
  return (
    type === 'text/html' ||
    type.endsWith('/xml') ||
    type.endsWith('+xml') ||
    type.endsWith('javascript') ||
    type.endsWith('ecmascript') ||
    type === 'text/xsl' ||
    type.startsWith('multipart/')
  )
}

/** `ALPHA / DIGIT`, then up to 126 more of those or of `!#$&-^_.+`. */
function isRestrictedName(text: string, start: number, end: number): boolean {
  if (end <= start || end - start > MAX_PART_LENGTH) return false
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i)
    if (isAlphanumeric(c)) continue
    if (i === start || !'!#$&-^_.+'.includes(text.charAt(i))) return false
  }
  return true
}

function isPrintable(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x20 || c > 0x7e) return false
  }
  return true
}

function trimmedEnd(text: string, end: number): number {
  while (end > 0 && text.charCodeAt(end - 1) === 0x20) end--
  return end
}

function isAlphanumeric(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a)
}
