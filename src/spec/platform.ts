import type { Platform } from './descriptor.ts'

/** A platform as people write it: `linux/arm64`, `linux/arm/v7`. */
export type PlatformName = string

/** @throws `TypeError` for what is not `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT` */
export function parsePlatform(platform: PlatformName | Platform): Platform {
  if (typeof platform !== 'string') return platform
  const [os, architecture, variant, ...rest] = platform.split('/')
  if (!os || !architecture || variant === '' || rest.length > 0) {
    throw new TypeError(
      `the string ${JSON.stringify(platform)} is no platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, linux/arm64 say`,
    )
  }
  // In Go's order: it may be written as it is, and the bytes have a digest.
  return { architecture, os, ...(variant !== undefined && { variant }) }
}

export function formatPlatform({ os, architecture, variant }: Platform): PlatformName {
  return [os, architecture, ...(variant ? [variant] : [])].join('/')
}

/**
 * Whether it is the one that is asked for, spelled the same: what would only run there as well is another, see {@link runsOn}. Where
 * no variant is asked for, any will do. An arm64 without one is v8, as to containerd.
 */
export function isPlatform(platform: Platform, wanted: Platform): boolean {
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) return false
  return !wanted.variant || variantOf(platform) === variantOf(wanted)
}

function variantOf({ architecture, variant }: Platform): string | undefined {
  return architecture === 'arm64' ? variant || 'v8' : variant
}

/**
 * Which of some platforms runs best where `wanted` is wanted, as containerd finds it: itself first, then what its processor runs
 * as well (arm/v7 runs v6 and v5, arm64 runs arm, amd64 runs 386). `arm64` and `arm64/v8` are one, and so are `arm` and `arm/v7`.
 *
 * @returns its place among them; -1 when none will run
 * @see https://github.com/containerd/platforms/blob/main/compare.go
 */
export function choosePlatform(platforms: readonly (Platform | undefined)[], wanted: Platform): number {
  const keys = platforms.map((platform) => platform && formatPlatform(normalise(platform)))
  for (const candidate of inOrder(normalise(wanted))) {
    const at = keys.indexOf(formatPlatform(normalise(candidate)))
    if (at >= 0) return at
  }
  return -1
}

/** Whether an image of the one runs on the other; see {@link choosePlatform}. */
export function runsOn(platform: Platform, wanted: Platform): boolean {
  return choosePlatform([platform], wanted) === 0
}

/** One spelling of each, containerd's. */
function normalise(platform: Platform): Platform {
  const os = platform.os.toLowerCase()
  const architecture = platform.architecture.toLowerCase()
  const variant = platform.variant?.toLowerCase()
  switch (architecture) {
    case 'i386':
      return { os, architecture: '386' }
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return named(os, 'amd64', variant === 'v1' ? undefined : variant)
    case 'aarch64':
    case 'arm64':
      return named(os, 'arm64', variant === '8' || variant === 'v8' ? undefined : variant)
    case 'armhf':
      return { os, architecture: 'arm', variant: 'v7' }
    case 'armel':
      return { os, architecture: 'arm', variant: 'v6' }
    case 'arm':
      return named(os, 'arm', variant ? `v${variant.replace(/^v/, '')}` : 'v7')
    default:
      return named(os, architecture, variant)
  }
}

/** The platform itself, then what runs there too, best first. */
function inOrder({ os, architecture, variant }: Platform): readonly Platform[] {
  const itself = named(os, architecture, variant)
  const [major, minor] = versionOf(variant)
  switch (architecture) {
    case 'amd64':
      return [itself, ...below(major, 1).map((v) => named(os, architecture, `v${v}`)), { os, architecture: '386' }]
    case 'arm':
      return [itself, ...below(major, 5).map((v) => named(os, architecture, `v${v}`))]
    case 'arm64': {
      const variants = arm64Variants(variant === undefined ? 8 : major, minor)
      return [itself, ...variants.map((v) => named(os, architecture, v)), ...inOrder(named(os, 'arm', 'v8'))]
    }
    default:
      return [itself]
  }
}

/** Below ARM v9.x are v9.(x-1) and so on, then v8.(x+5), from which v9.x came, and all below that. */
function arm64Variants(major: number, minor: number): readonly string[] {
  const minors = (top: number, count: number) => below(count, 0).map((v) => (v === 0 ? `v${top}` : `v${top}.${v}`))
  if (major === 9) return [...minors(9, minor), ...minors(8, minor + 6)]
  return major === 8 ? minors(8, minor) : []
}

/** `top - 1` down to `bottom`. */
function below(top: number, bottom: number): readonly number[] {
  return Array.from({ length: Math.max(0, top - bottom) }, (_, i) => top - 1 - i)
}

function versionOf(variant = ''): readonly [major: number, minor: number] {
  const [, major = '0', minor = '0'] = /^v(\d{1,2})(?:\.(\d{1,2}))?$/.exec(variant) ?? []
  return [Number(major), Number(minor)]
}

function named(os: string, architecture: string, variant: string | undefined): Platform {
  return variant ? { os, architecture, variant } : { os, architecture }
}
