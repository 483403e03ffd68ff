import { describe, expect, it } from 'vitest'
import { CredentialHelper, type HelperOptions } from '../../../src/remote/credentials/credential-helper.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { writeHelper, writeProgram } from './fake-helper.ts'

const temporaryDirectory = temporaryDirectories()

async function helper(source: string, options: Partial<HelperOptions> = {}) {
  const directory = await temporaryDirectory()
  await writeProgram(directory, 'test', source)
  return new CredentialHelper('test', { env: { PATH: directory }, ...options })
}

const WHO = 'the credential helper docker-credential-test'

describe('CredentialHelper.get', () => {
  it.each<[what: string, output: string, expected: object | undefined]>([
    ['a password', '{"ServerURL":"x","Username":"bob","Secret":"a"}', { username: 'bob', password: 'a' }],
    ['an identity token', '{"Username":"<token>","Secret":"I"}', { identityToken: 'I' }],
    ['no secret', '{"Username":"","Secret":""}', undefined],
    ['an empty object', '{}', undefined],
  ])('reads %s', async (_what, output, expected) => {
    const program = await helper(`console.log(${JSON.stringify(output)})`)
    expect(await program.get('registry.example')).toEqual(expected)
  })

  it.each(['credentials not found in native keychain', 'Error: Credentials not found in some vault\n'])(
    'takes %j for an answer',
    async (said) => {
      const program = await helper(`process.stdout.write(${JSON.stringify(said)}); process.exitCode = 1`)
      expect(await program.get('registry.example')).toBe(undefined)
    },
  )

  it.each<[what: string, source: string, message: string]>([
    [
      'fails',
      'console.log("SECRET"); process.exitCode = 3',
      'cannot say what it has for registry.example: it ends with 3',
    ],
    ['says nothing', '', 'does not answer with a JSON object'],
    ['says something else', 'console.log("SECRET")', 'does not answer with a JSON object'],
    ['gives no text', 'console.log(\'{"Username":"SECRET","Secret":1}\')', 'answers with no Username and Secret'],
    ['gives no user', 'console.log(\'{"Secret":"SECRET"}\')', 'answers without a Username'],
    ['says too much', 'process.stdout.write("SECRET".repeat(50_000))', 'says more than 65536 bytes'],
    [
      'is killed',
      'process.kill(process.pid, "SIGKILL")',
      'cannot say what it has for registry.example: it ends with -1',
    ],
  ])('throws when it %s, without what it said', async (_what, source, message) => {
    const program = await helper(source)
    const error: unknown = await program.get('registry.example').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'UNKNOWN', message: `${WHO} ${message}` })
    expect(JSON.stringify([error, String(error)])).not.toContain('SECRET')
  })

  it('ends one that does not answer', async () => {
    const program = await helper('setInterval(() => {}, 1000)', { helperTimeoutMs: 200 })
    await expect(program.get('registry.example')).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: `${WHO} has not answered within 200 ms`,
    })
  })

  it('ends with its caller', async () => {
    const leaving = new AbortController()
    const program = await helper('setInterval(() => {}, 1000)', { signal: leaving.signal })
    const asked = program.get('registry.example')
    leaving.abort(new Error('gone'))
    await expect(asked).rejects.toThrow('gone')
  })
})

describe('CredentialHelper', () => {
  it('stores, gives and erases', async () => {
    const directory = await temporaryDirectory()
    const kept = await writeHelper(directory, 'test', {})
    const program = new CredentialHelper('test', { env: { PATH: directory } })
    await program.store('a.example', { username: 'bob', password: 'pa"ss' })
    await program.store('b.example', { identityToken: 'I' })
    expect(await kept()).toEqual({ 'a.example': ['bob', 'pa"ss'], 'b.example': ['<token>', 'I'] })
    expect(await program.get('a.example')).toEqual({ username: 'bob', password: 'pa"ss' })
    expect(await program.get('b.example')).toEqual({ identityToken: 'I' })
    await program.erase('a.example')
    await program.erase('a.example')
    expect(await kept()).toEqual({ 'b.example': ['<token>', 'I'] })
  })

  it('has no place for a registry token', async () => {
    const program = await helper('')
    await expect(program.store('a.example', { registryToken: 'R' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  it.each([
    ['store', 'does not keep the credentials for a.example: it ends with 1'],
    ['erase', 'does not forget the credentials for a.example: it ends with 1'],
  ])('tells of a %s that fails', async (action, message) => {
    const program = await helper('process.exitCode = 1')
    const credentials = { username: 'bob', password: 'SECRET' }
    const result = action === 'store' ? program.store('a.example', credentials) : program.erase('a.example')
    await expect(result).rejects.toMatchObject({ code: 'UNKNOWN', message: `${WHO} ${message}` })
  })
})
