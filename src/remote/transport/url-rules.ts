/** Where requests for one registry may go, and where its user's credentials may. */
export interface UrlRules {
  /** The registry as its operator wrote it: whatever its address, it may be called. */
  readonly registry: URL
  /** Origins of token servers on other hosts that may be given credentials. Their addresses may be private. */
  readonly realms: readonly string[]
  /** Other origins whose addresses may be private: a bucket on the registry's network. They are never given credentials. */
  readonly origins: readonly string[]
}

/**
 * Registries whose token server is known to be on another host. A list, and no rule such as "the same domain": what belongs together
 * cannot be told from names.
 */
const KNOWN_REALMS: Readonly<Record<string, readonly string[]>> = {
  'https://registry-1.docker.io': ['https://auth.docker.io'],
  'https://registry.gitlab.com': ['https://gitlab.com'],
}

/**
 * @param options - `realms` and `origins` as {@link UrlRules} has them; a token server that is known to be a registry's is added
 * @throws `TypeError` for an entry that is no origin: one that could never match
 */
export function urlRules(
  registry: URL,
  { realms = [], origins = [] }: Partial<Pick<UrlRules, 'realms' | 'origins'>> = {},
): UrlRules {
  return {
    registry,
    realms: [...(KNOWN_REALMS[registry.origin] ?? []), ...realms.map((text) => readOrigin('realms', text))],
    origins: origins.map((text) => readOrigin('origins', text)),
  }
}

/** A slash at the end is forgiven; a path is not, for it would not be looked at. */
function readOrigin(option: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if ((url?.protocol !== 'https:' && url?.protocol !== 'http:') || url.hostname.includes('*')) {
    throw new TypeError(`the option "${option}" takes origins, https://auth.example say, not ${JSON.stringify(text)}`)
  }
  // Not what was written: a password may be in it.
  if (url.href !== `${url.origin}/`) throw new TypeError(`the option "${option}" takes origins: write '${url.origin}'`)
  return url.origin
}
