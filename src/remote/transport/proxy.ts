import type { AgentOptions, Agent as HttpAgent } from 'node:http'
import type { AgentOptions as TlsAgentOptions } from 'node:https'

/** The HTTP proxy through which a URL is called; `undefined`: none. */
export type ProxyFor = (url: URL) => URL | undefined

/**
 * What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, as other tools read them. Needs the packages `proxy-from-env` and
 * `https-proxy-agent`.
 *
 * @throws `Error` naming the package that is missing
 */
export async function proxyFromEnvironment(): Promise<ProxyFor> {
  const { getProxyForUrl } = await optional<{ getProxyForUrl(url: string): string }>('proxy-from-env')
  return (url) => {
    const proxy = getProxyForUrl(url.href)
    return proxy === '' ? undefined : new URL(proxy)
  }
}

/** Tunnels by `CONNECT`, for http as well: the proxy then sees no more than host and port. */
export async function proxyAgent(proxy: URL, options: AgentOptions | TlsAgentOptions): Promise<HttpAgent> {
  const { HttpsProxyAgent } = await optional<{
    HttpsProxyAgent: new (proxy: URL, options: AgentOptions) => HttpAgent
  }>('https-proxy-agent')
  // The proxy resolves the names: which addresses they have cannot be looked at from here.
  const { lookup: _, ...rest } = options as AgentOptions & { readonly lookup?: unknown }
  return new HttpsProxyAgent(proxy, rest)
}

async function optional<T>(name: string): Promise<T> {
  try {
    return (await import(name)) as T
  } catch (cause) {
    throw new Error(`an HTTP proxy needs the package ${name}: npm install https-proxy-agent proxy-from-env`, { cause })
  }
}
