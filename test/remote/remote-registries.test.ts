import { describe, expect, it, onTestFinished } from 'vitest'
import { remoteRegistries } from '../../src/remote/remote-registries.ts'
import { rig } from './rig.ts'

describe('remoteRegistries', () => {
  it('has one client for each host, with options of its own', async () => {
    const one = await rig()
    const asked: string[] = []
    const registries = remoteRegistries((host) => {
      asked.push(host)
      return { userAgent: `for ${host}` }
    })
    onTestFinished(() => registries.close())
    const host = new URL(one.url).host
    expect(registries.of(host)).toBe(registries.of(host))
    expect(registries.of('docker.io').origin).toBe('https://registry-1.docker.io')
    expect(asked).toEqual([host, 'docker.io'])
    await registries.of(host).ping()
    expect(one.seen[0]?.headers['user-agent']).toBe(`for ${host}`)
  })

  it('says what is no host', () => {
    expect(() => remoteRegistries().of('a b')).toThrow('is no registry')
  })
})
