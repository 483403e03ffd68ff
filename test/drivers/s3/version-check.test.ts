import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { VersionCheck } from '../../../src/drivers/s3/version-check.ts'

const [OLD, NEW] = [Buffer.from('old'), Buffer.from('new')]
const tagOf = (content: Buffer) => `"${createHash('md5').update(content).digest('hex')}"`

describe('VersionCheck', () => {
  it('tells a tag and bytes that belong together from those of two writes', () => {
    const check = new VersionCheck()
    expect(check.belongsTo(tagOf(OLD), OLD)).toBe(true)
    expect(check.belongsTo(tagOf(OLD), NEW)).toBe(false)
    expect(check.belongsTo(tagOf(OLD), NEW)).toBe(false)
    expect(check.belongsTo(tagOf(NEW), NEW)).toBe(true)
  })

  it('has one look again before it believes that tags are something else', () => {
    const check = new VersionCheck()
    const encrypted = tagOf(Buffer.from('encrypted'))
    expect(check.belongsTo(encrypted, OLD)).toBe(false)
    expect(check.belongsTo(encrypted, OLD)).toBe(true)
    expect(check.belongsTo(tagOf(OLD), NEW)).toBe(true)
  })

  it('says nothing of tags that are no digest', () => {
    const check = new VersionCheck()
    expect(check.belongsTo(`"${'a'.repeat(32)}-3"`, OLD)).toBe(true)
    expect(check.belongsTo('"7"', OLD)).toBe(true)
  })
})
