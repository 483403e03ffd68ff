import { describe, expect, it } from 'vitest'
import { EXIT_USAGE } from '../../src/cli/cli-error.ts'
import { parseServeOptions } from '../../src/cli/serve-options.ts'

describe('parseServeOptions', () => {
  it('serves a directory beside the caller on loopback by default', () => {
    expect(parseServeOptions([])).toEqual({
      address: { host: '127.0.0.1', port: 5000 },
      storage: 'file:./registry-data',
      sparse: 'index',
      proxies: [],
      proxyAuth: undefined,
      proxyCacheBytes: undefined,
      publicUrl: undefined,
      redirect: true,
      readOnly: false,
      drainTimeoutMs: 300_000,
      access: { htpasswd: undefined, rules: undefined, tokenIssuer: undefined, hasClientCa: false },
      tls: undefined,
      auditLog: undefined,
      trustedProxies: [],
      limits: { quotas: [], maxBlobBytes: undefined, rateLimit: undefined },
    })
  })

  it('listens on a network with passwords where nobody can read them', () => {
    const network = ['--listen', '0.0.0.0:5000']
    const tls = ['--tls-cert', 'c', '--tls-key', 'k']
    expect(() => parseServeOptions([...network, '--htpasswd', 'h'])).toThrow('--allow-plain-passwords')
    expect(() => parseServeOptions([...network, ...tls])).toThrow('--htpasswd FILE')
    for (const enough of [
      ['--htpasswd', 'h', ...tls],
      ['--htpasswd', 'h', '--allow-plain-passwords'],
      ['--tls-client-ca', 'a', ...tls],
    ]) {
      expect(parseServeOptions([...network, ...enough]).address.host).toBe('0.0.0.0')
    }
  })

  it('believes the proxies that are named', () => {
    const args = ['--trusted-proxy', '10.0.0.0/8', '--trusted-proxy=::1', '--trusted-proxy', '192.0.2.7']
    expect(parseServeOptions(args).trustedProxies).toEqual(['10.0.0.0/8', '::1', '192.0.2.7'])
  })

  it('sends clients to a bucket unless told otherwise', () => {
    expect(parseServeOptions(['--no-redirect']).redirect).toBe(false)
  })

  it('listens on a network only when told that anonymous access is meant', () => {
    expect(() => parseServeOptions(['--listen', '0.0.0.0:5000'])).toThrow('--allow-anonymous-network')
    expect(parseServeOptions(['--listen', '0.0.0.0:5000', '--allow-anonymous-network']).address).toEqual({
      host: '0.0.0.0',
      port: 5000,
    })
  })

  it('pulls through from several registries', () => {
    const { proxies, proxyAuth, proxyCacheBytes } = parseServeOptions([
      ...['--proxy', 'docker.io=https://registry-1.docker.io', '--proxy', 'https://registry.example/a=b'],
      ...['--proxy=mirror/hub=http://10.0.0.7:5000', '--proxy-auth', 'auth.json', '--proxy-cache-size', '50g'],
    ])
    expect(proxies.map(({ prefix, url }) => [prefix, url.href])).toEqual([
      ['docker.io', 'https://registry-1.docker.io/'],
      [undefined, 'https://registry.example/a=b'],
      ['mirror/hub', 'http://10.0.0.7:5000/'],
    ])
    expect(proxyAuth).toBe('auth.json')
    expect(proxyCacheBytes).toBe(50 * 2 ** 30)
  })

  it('limits what anybody may do', () => {
    const args = ['--quota', 'team/=1T', '--quota=team/*=5G', '--quota', '**=100', '--max-blob-size=10G']
    expect(parseServeOptions([...args, '--rate-limit', '2.5']).limits).toEqual({
      quotas: [
        { prefix: 'team/', maxBytes: 2 ** 40 },
        { repository: 'team/*', maxBytes: 5 * 2 ** 30 },
        { repository: '**', maxBytes: 100 },
      ],
      maxBlobBytes: 10 * 2 ** 30,
      rateLimit: { perSecond: 2.5 },
    })
  })

  it('never repeats a password', () => {
    for (const text of [
      'hub=https://ci:s3cr3t@registry.example',
      'https://ci:s3c@r3t@a/',
      'HUB=https://ci:s3cr3t@a/',
    ]) {
      const parse = () => parseServeOptions(['--proxy', text])
      expect(parse).toThrow('leave the password out')
      expect(parse).not.toThrow(/s3c/)
    }
  })

  it.each([
    [['--proxy', 'registry.example'], '--proxy registry.example: expected PREFIX=URL'],
    [['--proxy', 'hub=registry.example'], '--proxy registry.example: expected PREFIX=URL'],
    [['--proxy', 'hub=ftp://a/'], '--proxy ftp://a/: expected PREFIX=URL'],
    [['--proxy', 'hub=https://a/?x=y'], '--proxy https://a/?x=y: expected PREFIX=URL'],
    [['--proxy', 'localhost:5000=https://a/'], 'expected PREFIX=URL with a prefix such as docker.io'],
    [['--proxy', '=https://a/'], 'expected PREFIX=URL with a prefix such as docker.io'],
    [['--proxy', 'a=https://a/', '--proxy', 'a=https://b/'], '--proxy is given twice for a'],
    [['--proxy', 'https://a/', '--proxy', 'https://b/'], '--proxy is given twice for everything'],
    [['--proxy-auth', 'auth.json'], '--proxy-auth needs a --proxy'],
    [['--proxy-cache-size', '1G'], '--proxy-cache-size needs a --proxy'],
    [['--proxy', 'https://a/', '--proxy-cache-size', '0'], '--proxy-cache-size 0: expected a number of bytes'],
    [['--proxy', 'https://a/', '--proxy-cache-size', '1.5G'], '--proxy-cache-size 1.5G: expected a number of bytes'],
    [['--proxy', 'https://a/', '--proxy-cache-size', '1GB'], '--proxy-cache-size 1GB: expected a number of bytes'],
    [['--quota', '50G'], '--quota 50G: expected NAME=BYTES'],
    [['--quota', '=50G'], '--quota =50G: expected NAME=BYTES'],
    [['--quota', 'team/='], '--quota team/=: expected a number of bytes'],
    [['--quota', 'team/=50GB'], '--quota team/=50GB: expected a number of bytes'],
    [['--quota', '/=50G'], '--quota /=50G: the "prefix" of a limit must be the beginning of names'],
    [['--max-blob-size', '0'], '--max-blob-size 0: expected a number of bytes'],
    [['--rate-limit', '0'], '--rate-limit 0: expected a number of requests per second'],
    [['--rate-limit', 'fast'], '--rate-limit fast: expected a number of requests per second'],
    [['--trusted-proxy', '10.0.0.0/33'], '--trusted-proxy 10.0.0.0/33: expected an IP address, or a CIDR block'],
    [['--trusted-proxy', 'fd00::/129'], '--trusted-proxy fd00::/129: expected an IP address, or a CIDR block'],
    [['--trusted-proxy', '10.0.0.1,10.0.0.2'], '--trusted-proxy 10.0.0.1,10.0.0.2: expected an IP address'],
    [
      ['--listen', '0.0.0.0:5000', '--htpasswd', 'h', '--token-issuer', 'generate', '--allow-plain-passwords'],
      'behind a proxy with TLS, --token-issuer needs --public-url URL, or --trusted-proxy ADDRESS',
    ],
    [['--sparse', 'indx'], '--sparse indx: expected none, index or all; did you mean index?'],
    [['--sparse', 'sometimes'], '--sparse sometimes: expected none, index or all'],
    [['--public-url', 'registry.example.com'], '--public-url registry.example.com: expected an http or https URL'],
    [['--public-url', 'ftp://a/'], '--public-url ftp://a/: expected an http or https URL'],
    [['--public-url', 'https://u:p@a/'], '--public-url https://u:p@a/: expected an http or https URL'],
    [['--drain-timeout', '1.5'], '--drain-timeout 1.5: expected whole seconds, at most 86400'],
    [['--drain-timeout', '86401'], '--drain-timeout 86401: expected whole seconds, at most 86400'],
  ])('refuses %j', (args, message) => {
    expect(() => parseServeOptions(args)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message), exitCode: EXIT_USAGE }),
    )
  })
})
