import { arch, endianness } from 'node:os'
import type { Platform } from '../spec/descriptor.ts'

/** Node's names of architectures that Go, and with it every image, calls otherwise. */
const GO_NAMES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' }

/** Linux on this machine's processor. */
export function defaultPlatform(): Platform {
  const architecture = arch()
  if (architecture === 'ppc64') return { os: 'linux', architecture: endianness() === 'LE' ? 'ppc64le' : 'ppc64' }
  if (architecture !== 'arm') return { os: 'linux', architecture: GO_NAMES[architecture] ?? architecture }
  const { arm_version: version } = process.config.variables as { readonly arm_version?: unknown } // of Node's own build
  return { os: 'linux', architecture, variant: typeof version === 'string' ? `v${version}` : 'v7' }
}
