import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isUploadId } from '../../src/spec/name.ts'
import { isUploadOf, newUploadId } from '../../src/storage/upload-id.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('newUploadId', () => {
  it('makes a UUID that its actor has in its repository, and nobody else or elsewhere', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (repository, actor, elsewhere, other) => {
        const id = newUploadId(repository, actor)
        expect(id).toMatch(UUID)
        expect(isUploadId(id)).toBe(true)
        expect(isUploadOf(id, repository, actor)).toBe(true)
        expect(isUploadOf(id, repository, undefined)).toBe(false)
        expect(isUploadOf(id, repository, other)).toBe(other === actor)
        expect(isUploadOf(id, elsewhere, actor)).toBe(elsewhere === repository)
      }),
    )
  })

  it('binds an anonymous one to nobody', () => {
    const id = newUploadId('app', undefined)
    expect(id).toMatch(UUID)
    expect([isUploadOf(id, 'app', undefined), isUploadOf(id, 'app', 'alice')]).toEqual([true, true])
  })

  it('does not repeat itself', () => {
    expect(new Set(Array.from({ length: 1000 }, () => newUploadId('app', 'alice'))).size).toBe(1000)
  })

  it('tells apart what runs together', () => {
    const id = newUploadId('team', 'appalice')
    expect(isUploadOf(id, 'teamapp', 'alice')).toBe(false)
    expect(isUploadOf(id, 'team","app', 'alice')).toBe(false)
  })
})

describe('isUploadOf', () => {
  it.each([
    ['a UUID as Distribution makes it', '7c5e6c1c-4f0b-4a41-9f0e-2f3f6a1c9d11', true],
    ['one of version 7', '0192e0a4-4f0b-7a41-9f0e-2f3f6a1c9d11', true],
    ['what is no UUID', 'upload=1.a_B', true],
    ['a version 8 of nobody', '7c5e6c1c-4f0b-8a41-9f0e-2f3f6a1c9d11', false],
    ['a version 8 with more behind it', `${newUploadId('app', 'alice')}0`, false],
    ['a version 8 cut short', newUploadId('app', 'alice').slice(0, -1), false],
  ])('says of %s: %s is %s', (_, id, expected) => {
    expect(isUploadOf(id, 'app', 'alice')).toBe(expected)
  })
})
