import { describe, expect, it } from 'vitest'
import { EXIT_USAGE } from '../../src/cli/cli-error.ts'
import { parseServeOptions } from '../../src/cli/serve-options.ts'

describe('parseServeOptions', () => {
  it('serves a directory beside the caller on loopback by default', () => {
    expect(parseServeOptions([])).toEqual({
      address: { host: '127.0.0.1', port: 5000 },
      storage: 'file:./registry-data',
      sparse: 'index',
      publicUrl: undefined,
      redirect: true,
      readOnly: false,
      drainTimeoutMs: 300_000,
    })
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

  it.each([
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
