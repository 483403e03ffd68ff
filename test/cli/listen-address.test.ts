import { describe, expect, it } from 'vitest'
import { explainListenError, formatAddress, isLoopback, parseListenAddress } from '../../src/cli/listen-address.ts'

describe('parseListenAddress', () => {
  it.each([
    ['127.0.0.1:5000', { host: '127.0.0.1', port: 5000 }, true],
    ['127.8.9.1:0', { host: '127.8.9.1', port: 0 }, true],
    ['localhost:80', { host: 'localhost', port: 80 }, true],
    ['[::1]:65535', { host: '::1', port: 65_535 }, true],
    ['8080', { host: '127.0.0.1', port: 8080 }, true],
    ['0.0.0.0:5000', { host: '0.0.0.0', port: 5000 }, false],
    ['[::]:5000', { host: '::', port: 5000 }, false],
    ['registry.lan:5000', { host: 'registry.lan', port: 5000 }, false],
    ['127.evil.example:5000', { host: '127.evil.example', port: 5000 }, false],
    ['localhost.example:5000', { host: 'localhost.example', port: 5000 }, false],
  ])('reads %s, and knows whether it is loopback', (text, address, loopback) => {
    expect(parseListenAddress(text)).toEqual(address)
    expect(isLoopback(parseListenAddress(text))).toBe(loopback)
  })

  it.each([
    '',
    ':',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:5e3',
    '::1:80',
    '[localhost]:80',
    'a b:80',
  ])('refuses %j with an example of what is right', (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      `--listen ${text}: expected HOST:PORT, such as 127.0.0.1:5000, [::1]:5000 or 127.0.0.1:0 for any free port`,
    )
  })
})

describe('parseListenAddress of a port after a colon', () => {
  it('wants to know whether that is this machine alone', () => {
    expect(() => parseListenAddress(':5056')).toThrow(
      '--listen :5056: on which address? 127.0.0.1:5056 for this machine alone, 0.0.0.0:5056 --allow-anonymous-network for all',
    )
  })
})

describe('formatAddress', () => {
  it.each(['127.0.0.1:5000', '[::1]:5000', 'localhost:1'])('writes %s as it was read', (text) => {
    expect(formatAddress(parseListenAddress(text))).toBe(text)
  })
})

describe('explainListenError', () => {
  it.each([
    [
      'EADDRINUSE',
      5000,
      'cannot listen on 127.0.0.1:5000: the port is in use (on macOS, by AirPlay Receiver: System Settings > General > AirDrop & Handoff; else perhaps by another registry). Another one: --listen 127.0.0.1:5001',
    ],
    [
      'EADDRINUSE',
      65_535,
      'cannot listen on 127.0.0.1:65535: the port is in use by another program. Another one: --listen 127.0.0.1:65534',
    ],
    [
      'EACCES',
      80,
      'cannot listen on 127.0.0.1:80: not permitted (ports below 1024 are for root). Another one: --listen 127.0.0.1:5000',
    ],
    [
      'EADDRNOTAVAIL',
      5000,
      'cannot listen on 127.0.0.1:5000: this machine has no such address. Give one of its own with --listen',
    ],
  ])('explains %s on port %i', (code, port, message) => {
    const error = Object.assign(new Error('listen'), { code })
    expect(explainListenError(error, { host: '127.0.0.1', port })?.message).toBe(message)
  })

  it('leaves other errors alone', () => {
    expect(explainListenError(new Error('no code'), { host: '::1', port: 1 })).toBeUndefined()
  })
})
