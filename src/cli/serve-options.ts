import type { TlsOptions } from '../adapters/tls-files.ts'
import { forwardedReader } from '../http/forwarded.ts'
import { nearest } from '../nearest.ts'
import type { Sparseness } from '../storage/storage-core.ts'
import type { AccessOptions } from './access.ts'
import { CliError, EXIT_USAGE } from './cli-error.ts'
import { type LimitOptions, parseLimits } from './limit-options.ts'
import { isLoopback, type ListenAddress, parseListenAddress } from './listen-address.ts'
import { parseOptions } from './options.ts'
import { parseBytes } from './parse-bytes.ts'
import { type ProxyOption, parseProxies } from './proxy-options.ts'

export const SERVE_OPTIONS = {
  listen: { value: 'HOST:PORT', default: '127.0.0.1:5000', help: 'where to listen; port 0 takes any free one' },
  storage: {
    value: 'URL',
    default: 'file:./registry-data',
    help: 'where images are kept: file:DIR, memory:, s3://BUCKET/PREFIX, azure://CONTAINER/PREFIX or gs://BUCKET/PREFIX, these with parameters such as ?region=eu-central-1, and credentials from where their SDKs look for them',
  },
  sparse: {
    value: 'none|index|all',
    default: 'index',
    help: 'what a pushed manifest may refer to that is not here: nothing, platforms of an index, or anything',
  },
  proxy: {
    value: 'PREFIX=URL',
    repeatable: true,
    help: 'pull what is called PREFIX/… here through from the registry at URL, and keep it: docker.io=https://registry-1.docker.io; a URL alone is for everything that no PREFIX has. Nothing can be pushed under these names. May be repeated',
  },
  'proxy-auth': {
    value: 'FILE',
    help: 'logins for these registries, as in docker’s config.json; without it, those of docker, podman and wharfage login',
  },
  'proxy-cache-size': {
    value: 'BYTES',
    help: 'how much of them is kept, 50G say; the least recently used is unlinked first. Without it, everything is kept',
  },
  'public-url': {
    value: 'URL',
    help: 'the address clients use, for absolute Location headers; without it they are relative, which fits most proxies',
  },
  'no-redirect': {
    help: 'send blobs through this process, where a bucket could be named to the client instead: for clients that do not reach it',
  },
  htpasswd: {
    value: 'FILE',
    help: 'let in who has a name and a password in FILE, as htpasswd -B writes it; a change of it counts at once',
  },
  rules: {
    value: 'FILE',
    help: 'who may do what, one rule a line: “team/{user}/*: pull, push”. Without it, whoever is let in may do everything',
  },
  'token-issuer': {
    value: 'FILE|generate',
    help: 'give out tokens for passwords, signed with the private key in FILE (PEM), or with one that lasts as long as this process: rules may be for “anonymous” then, and clients send their password less often',
  },
  'tls-cert': { value: 'FILE', help: 'serve over TLS, with the certificate in FILE (PEM); a change of it counts soon' },
  'tls-key': { value: 'FILE', help: 'its private key (PEM)' },
  'tls-client-ca': {
    value: 'FILE',
    help: 'let in who has a certificate by one of the authorities in FILE (PEM); without --htpasswd, its common name is who they are',
  },
  'tls-min-version': { value: '1.2|1.3', default: '1.2', help: 'refuse older versions of TLS' },
  'audit-log': {
    value: 'FILE|-',
    help: 'write down each decision on who may do what, a line of JSON each, to the end of FILE (opened anew on SIGHUP) or to standard output',
  },
  'trusted-proxy': {
    value: 'ADDRESS',
    repeatable: true,
    help: 'believe what the proxy at ADDRESS, or in that CIDR block, says of clients (Forwarded, X-Forwarded-*). May be repeated',
  },
  quota: {
    value: 'NAME=BYTES',
    repeatable: true,
    help: 'refuse what would make repositories hold more: team/=500G is for all below team/ together, team/*=5G for each of them, **=5G for every one; what --proxy keeps is not counted. May be repeated',
  },
  'max-blob-size': { value: 'BYTES', help: 'refuse larger blobs, 10G say' },
  'rate-limit': {
    value: 'NUMBER',
    help: 'refuse more requests per second of anybody, whoever is logged in or the address of who is not; ten seconds’ worth may come at once',
  },
  'read-only': { help: 'refuse every change' },
  'allow-anonymous-network': {
    help: 'listen on other addresses than loopback, although anyone who reaches them may read, write and delete',
  },
  'allow-plain-passwords': {
    help: 'listen on other addresses than loopback without TLS, although anyone on the way can read passwords: for what is behind a proxy with TLS',
  },
  'drain-timeout': {
    value: 'SECONDS',
    default: '300',
    help: 'on SIGTERM and SIGINT, how long running transfers may take to finish; a second signal ends them at once',
  },
} as const

export interface ServeOptions {
  readonly address: ListenAddress
  /** As given; `openStorage` reads it. */
  readonly storage: string
  readonly sparse: Sparseness
  readonly proxies: readonly ProxyOption[]
  readonly proxyAuth: string | undefined
  readonly proxyCacheBytes: number | undefined
  readonly publicUrl: URL | undefined
  readonly redirect: boolean
  readonly readOnly: boolean
  readonly drainTimeoutMs: number
  readonly access: AccessOptions
  readonly tls: TlsOptions | undefined
  /** `-`: standard output. */
  readonly auditLog: string | undefined
  readonly trustedProxies: readonly string[]
  readonly limits: LimitOptions
}

/** @throws {@link CliError} */
export function parseServeOptions(args: readonly string[]): ServeOptions {
  const values = parseOptions(args, SERVE_OPTIONS)
  const address = parseListenAddress(values.listen)
  const access = parseAccessOptions(values)
  const tls = parseTls(values)
  if (!isLoopback(address)) checkNetwork(values, access, tls)
  return {
    address,
    storage: values.storage,
    sparse: parseSparse(values.sparse),
    ...parseProxying(values.proxy, values['proxy-auth'], values['proxy-cache-size']),
    publicUrl: values['public-url'] === undefined ? undefined : parsePublicUrl(values['public-url']),
    redirect: !values['no-redirect'],
    readOnly: values['read-only'],
    drainTimeoutMs: parseSeconds(values['drain-timeout']) * 1000,
    access,
    tls,
    auditLog: values['audit-log'],
    trustedProxies: values['trusted-proxy'].map(checkProxy),
    limits: parseLimits(values),
  }
}

type Values = ReturnType<typeof parseOptions<typeof SERVE_OPTIONS>>

/** On a network, nobody is let in without having been asked for, and passwords are not sent in the open. */
function checkNetwork(values: Values, access: AccessOptions, tls: TlsOptions | undefined): void {
  if (access.htpasswd === undefined && tls?.clientCa === undefined && !values['allow-anonymous-network']) {
    throw new CliError(
      `--listen ${values.listen}: without authentication, everyone on that network could read, replace and delete images. ` +
        'Give --htpasswd FILE, listen on 127.0.0.1, or say that this is meant with --allow-anonymous-network',
      EXIT_USAGE,
    )
  }
  if (access.htpasswd !== undefined && tls === undefined && !values['allow-plain-passwords']) {
    throw new CliError(
      `--listen ${values.listen}: without TLS, everyone on the way could read passwords. ` +
        'Give --tls-cert and --tls-key, or say that a proxy with TLS is in front with --allow-plain-passwords',
      EXIT_USAGE,
    )
  }
  if (tls === undefined) checkRealm(values)
}

/** Clients send passwords to where the challenge says that tokens are given out. */
function checkRealm(values: Values): void {
  if (values['token-issuer'] === undefined || values['public-url'] !== undefined) return
  if (values['trusted-proxy'].length > 0) return
  throw new CliError(
    `--listen ${values.listen}: behind a proxy with TLS, --token-issuer needs --public-url URL, or --trusted-proxy ADDRESS: ` +
      'without, clients would be told to send passwords over http',
    EXIT_USAGE,
  )
}

function parseAccessOptions(values: Values): AccessOptions {
  const { htpasswd, rules, 'token-issuer': tokenIssuer, 'tls-client-ca': clientCa } = values
  if (rules !== undefined && htpasswd === undefined && clientCa === undefined) {
    throw new CliError('--rules needs --htpasswd or --tls-client-ca: rules are for somebody', EXIT_USAGE)
  }
  if (tokenIssuer !== undefined && htpasswd === undefined) {
    throw new CliError('--token-issuer needs --htpasswd: tokens are given out for passwords', EXIT_USAGE)
  }
  return { htpasswd, rules, tokenIssuer, hasClientCa: clientCa !== undefined }
}

function parseTls(values: Values): TlsOptions | undefined {
  const { 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': clientCa, 'tls-min-version': minVersion } = values
  if (minVersion !== '1.2' && minVersion !== '1.3') {
    throw new CliError(`--tls-min-version ${minVersion}: expected 1.2 or 1.3`, EXIT_USAGE)
  }
  if (cert !== undefined && key !== undefined) {
    return { cert, key, minVersion: `TLSv${minVersion}`, ...(clientCa !== undefined && { clientCa }) }
  }
  if (cert !== undefined) throw new CliError('--tls-cert needs --tls-key', EXIT_USAGE)
  if (key !== undefined) throw new CliError('--tls-key needs --tls-cert', EXIT_USAGE)
  if (clientCa !== undefined) throw new CliError('--tls-client-ca needs --tls-cert and --tls-key', EXIT_USAGE)
  return undefined
}

function checkProxy(text: string): string {
  try {
    forwardedReader([text])
    return text
  } catch (cause) {
    throw new CliError(
      `--trusted-proxy ${text}: expected an IP address, or a CIDR block such as 10.0.0.0/8`,
      EXIT_USAGE,
      { cause },
    )
  }
}

function parseSparse(text: string): Sparseness {
  if (text === 'none' || text === 'index' || text === 'all') return text
  const guess = nearest(text, ['none', 'index', 'all'])
  throw new CliError(
    `--sparse ${text}: expected none, index or all${guess === undefined ? '' : `; did you mean ${guess}?`}`,
    EXIT_USAGE,
  )
}

function parseProxying(
  proxies: readonly string[],
  proxyAuth: string | undefined,
  size: string | undefined,
): Pick<ServeOptions, 'proxies' | 'proxyAuth' | 'proxyCacheBytes'> {
  const alone = proxyAuth !== undefined ? '--proxy-auth' : size !== undefined ? '--proxy-cache-size' : undefined
  if (proxies.length === 0 && alone !== undefined) throw new CliError(`${alone} needs a --proxy`, EXIT_USAGE)
  return {
    proxies: parseProxies(proxies),
    proxyAuth,
    proxyCacheBytes: size === undefined ? undefined : parseBytes('proxy-cache-size', size),
  }
}

function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (url !== undefined && plain && (url.protocol === 'https:' || url.protocol === 'http:')) return url
  throw new CliError(
    `--public-url ${text}: expected an http or https URL such as https://registry.example.com`,
    EXIT_USAGE,
  )
}

function parseSeconds(text: string): number {
  // A day at most: longer ones overflow a timer, which would then fire at once.
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (seconds <= 86_400) return seconds
  throw new CliError(`--drain-timeout ${text}: expected whole seconds, at most 86400`, EXIT_USAGE)
}
