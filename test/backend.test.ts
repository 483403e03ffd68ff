import { describe, expect, it } from 'vitest'
import { type Backend, decorate } from '../src/backend.ts'
import { prefix } from '../src/decorators/prefix.ts'
import { readOnly } from '../src/decorators/read-only.ts'
import { RemoteBackend } from '../src/remote/remote-backend.ts'
import { newRegistry } from './http/support.ts'

describe('decorate', () => {
  it('keeps where the images are, and says nothing of images at hand', () => {
    expect(decorate(new RemoteBackend('registry.example'), {}).origin).toBe('https://registry.example')
    expect('origin' in decorate(newRegistry(), {})).toBe(false)
  })
})

describe('origin', () => {
  it('is not that of a registry whose names it shows in another way: a mount would name the wrong repository', () => {
    const shown: Backend = prefix('team/')(new RemoteBackend('registry.example'))
    expect(shown.origin).toBeUndefined()
    expect(readOnly()(new RemoteBackend('registry.example')).origin).toBe('https://registry.example')
  })
})
