import { arch } from 'node:os'
import { describe, expect, it } from 'vitest'
import { defaultPlatform } from '../../src/image/default-platform.ts'

describe('defaultPlatform', () => {
  it("is Linux on this machine's processor, as Go calls it", () => {
    expect(defaultPlatform()).toMatchObject({
      os: 'linux',
      architecture: { x64: 'amd64', arm64: 'arm64' }[arch() as string],
    })
  })
})
