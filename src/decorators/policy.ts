import { checkManifestPut, checkOptions, kindOf } from '../arguments.ts'
import { type Decorator, decorate } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Descriptor, Platform } from '../spec/descriptor.ts'
import { type ParsedManifest, parseManifest } from '../spec/manifest.ts'
import { expose } from './expose.ts'
import { type Match, matcher } from './pattern.ts'

/** What is not given is not checked. */
export interface PolicyOptions {
  /** Media types of manifests that may be pushed. */
  readonly mediaTypes?: Match
  /** What may be pushed by its artifact type, which for an image is its config's media type. */
  readonly artifactTypes?: Match
  /**
   * URLs that layers may say they come from; clients fetch them. An empty object allows none. A denied one stays denied.
   * Of manifests of unknown types no URL is known: rule those out by `mediaTypes`.
   */
  readonly urls?: UrlPolicy
  /**
   * Platforms that every index must list, as `os/architecture` or `os/architecture/variant`. An index none of whose children
   * has a platform is no multi-platform image (BuildKit's cache, an index of artifacts) and needs none.
   */
  readonly platforms?: readonly string[]
}

export interface UrlPolicy {
  /** Patterns such as `https://layers.example.com/**`, or a function of the URL. Default: none. */
  readonly allow?: Match
  /** Default: none. */
  readonly deny?: Match
}

type Check = (manifest: ParsedManifest) => void

/** Manifests that break a rule are refused with `DENIED` before anything of them is stored. Blobs are not looked at. */
export function policy(options: PolicyOptions): Decorator {
  checkOptions('policy()', options, { mediaTypes: true, artifactTypes: true, urls: true, platforms: true })
  checkOptions('the "urls" of policy()', options?.urls, { allow: true, deny: true })
  const checks = checksOf(options)
  return (inner) =>
    decorate(inner, {
      manifests: (manifests) =>
        expose(manifests, ['stat', 'get', 'delete', 'list', 'referrers'], {
          put: async (content, putOptions) => {
            checkManifestPut(content, putOptions)
            const manifest = parseManifest(content, putOptions.mediaType)
            for (const check of checks) check(manifest)
            return manifests.put(content, putOptions)
          },
        }),
    })
}

function checksOf({ mediaTypes, artifactTypes, urls, platforms }: PolicyOptions = {}): readonly Check[] {
  const checks: Check[] = []
  if (mediaTypes !== undefined) checks.push(checkMediaType(matcher(mediaTypes)))
  if (artifactTypes !== undefined) checks.push(checkArtifactType(matcher(artifactTypes)))
  if (urls !== undefined) checks.push(checkUrls(urls))
  if (platforms !== undefined) checks.push(checkPlatforms(platforms))
  return checks
}

function checkMediaType(isAllowed: (mediaType: string) => boolean): Check {
  return ({ mediaType }) => {
    if (!isAllowed(mediaType)) throw denied(`manifests of type ${mediaType} are not accepted here`, { mediaType })
  }
}

/** An index without an artifact type is what its children are, which were checked when they came. */
function checkArtifactType(isAllowed: (artifactType: string) => boolean): Check {
  return ({ kind, artifactType }) => {
    if (artifactType === undefined && kind === 'index') return
    if (artifactType === undefined || !isAllowed(artifactType)) {
      throw denied(`artifacts of type ${artifactType ?? 'unknown'} are not accepted here`, { artifactType })
    }
  }
}

function checkUrls({ allow = [], deny = [] }: UrlPolicy): Check {
  const isAllowed = matcher(allow)
  const isDenied = matcher(deny)
  return ({ config, layers, manifests, subject }) => {
    for (const { urls } of present([config, subject, ...layers, ...manifests])) {
      for (const text of urls ?? []) {
        const url = plainUrl(text)
        // Both as written and as a parser reads it: clients differ in which one they look at.
        if (url === undefined || isDenied(text) || isDenied(url) || !isAllowed(url) || !isAllowed(text)) {
          throw denied('a layer may not come from this URL', { url: text.slice(0, 256) })
        }
      }
    }
  }
}

/** As Distribution wants it: of the web, with a host, without a fragment; and without a password in it. */
function plainUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const isPlain = url.host !== '' && url.username === '' && url.password === '' && !text.includes('#')
  return isPlain && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : undefined
}

function checkPlatforms(required: readonly string[]): Check {
  if (!Array.isArray(required))
    throw new TypeError(`"platforms" must be a list, ['linux/amd64'] say, not ${kindOf(required)}`)
  return ({ kind, manifests }) => {
    const platforms = present(manifests.map(({ platform }) => platform))
    if (kind !== 'index' || platforms.length === 0) return
    const missing = required.filter((name) => !platforms.some((platform) => isPlatform(platform, name)))
    if (missing.length > 0) throw denied(`the index lacks ${missing.join(', ')}`, { missing })
  }
}

function isPlatform({ os, architecture, variant }: Platform, name: string): boolean {
  const platform = `${os}/${architecture}`
  return name === platform || (variant !== undefined && name === `${platform}/${variant}`)
}

function present<T extends Descriptor | Platform>(items: readonly (T | undefined)[]): readonly T[] {
  return items.filter((item) => item !== undefined)
}

function denied(message: string, detail: unknown): RegistryError {
  return new RegistryError('DENIED', { message, detail })
}
