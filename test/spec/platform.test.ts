import { describe, expect, it } from 'vitest'
import { choosePlatform, formatPlatform, isPlatform, parsePlatform } from '../../src/spec/platform.ts'

const choose = (wanted: string, ...there: readonly string[]) =>
  there[
    choosePlatform(
      there.map((name) => parsePlatform(name)),
      parsePlatform(wanted),
    )
  ]

describe('choosePlatform', () => {
  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64', ['windows/amd64', 'linux/386'], 'linux/386'],
    ['linux/amd64', ['linux/amd64/v2', 'linux/amd64/v1'], 'linux/amd64/v1'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2'], 'linux/amd64/v2'],
    ['linux/amd64/v2', ['linux/amd64/v3', 'linux/386'], 'linux/386'],
    ['linux/x86_64', ['linux/amd64'], 'linux/amd64'],
    ['Linux/AMD64', ['linux/amd64'], 'linux/amd64'],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 'linux/arm64/v8'],
    ['linux/arm64/v8', ['linux/arm/v7', 'linux/arm64'], 'linux/arm64'],
    ['linux/aarch64', ['linux/arm64'], 'linux/arm64'],
    ['linux/arm64', ['linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v7'],
    ['linux/arm64', ['linux/arm/v5', 'linux/arm/v8'], 'linux/arm/v8'],
    ['linux/arm64/v8.2', ['linux/arm64', 'linux/arm64/v8.1', 'linux/arm64/v8.3'], 'linux/arm64/v8.1'],
    ['linux/arm64/v9.1', ['linux/arm64/v8', 'linux/arm64/v9', 'linux/arm64/v9.2'], 'linux/arm64/v9'],
    ['linux/arm64/v9', ['linux/arm64/v8.6', 'linux/arm64/v8.5', 'linux/arm64/v8.4'], 'linux/arm64/v8.5'],
    ['linux/arm64/v9.1', ['linux/arm64/v8.7', 'linux/arm64/v8.6'], 'linux/arm64/v8.6'],
    ['linux/arm64/v9', ['linux/arm64'], 'linux/arm64'],
    ['linux/arm', ['linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v7'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6'], 'linux/arm/v6'],
    ['linux/arm/7', ['linux/arm'], 'linux/arm'],
    ['linux/armhf', ['linux/arm/v7'], 'linux/arm/v7'],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm64'], undefined],
    ['linux/386', ['linux/amd64'], undefined],
    ['linux/s390x', ['linux/amd64', 'linux/ppc64le'], undefined],
    ['linux/s390x', ['linux/s390x'], 'linux/s390x'],
    ['windows/amd64', ['linux/amd64'], undefined],
  ])('takes, where %s is wanted, of %j: %s', (wanted, there, chosen) => {
    expect(choose(wanted, ...there)).toBe(chosen)
  })

  it('takes none that does not say what for', () => {
    expect(choosePlatform([undefined, { os: 'unknown', architecture: 'unknown' }], parsePlatform('linux/amd64'))).toBe(
      -1,
    )
  })
})

describe('isPlatform', () => {
  it.each([
    ['linux/arm/v7', 'linux/arm', true],
    ['linux/arm', 'linux/arm/v7', false],
    ['linux/arm/v6', 'linux/arm/v7', false],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm64/v9', 'linux/arm64/v8', false],
    ['linux/386', 'linux/amd64', false],
    ['windows/amd64', 'linux/amd64', false],
  ])('says whether %s is what is asked for as %s: %s', (platform, wanted, is) => {
    expect(isPlatform(parsePlatform(platform), parsePlatform(wanted))).toBe(is)
  })
})

describe('parsePlatform', () => {
  it.each(['', 'linux', 'linux/', '/amd64', 'linux/arm/', 'linux/arm/v7/x'])('refuses %j', (text) => {
    expect(() => parsePlatform(text)).toThrow(TypeError)
  })

  it('is undone by formatPlatform', () => {
    for (const text of ['linux/amd64', 'linux/arm/v7']) expect(formatPlatform(parsePlatform(text))).toBe(text)
  })
})
