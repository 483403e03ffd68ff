import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type RulesFileOptions, rulesFile } from '../../../src/auth/index.ts'
import { temporaryDirectories } from '../../support/temporary-directory.ts'
import { access, recordingLogger } from '../support.ts'

const directory = temporaryDirectories()
const alice = { subject: 'alice' }

async function written(text: string, options: Partial<RulesFileOptions> = {}) {
  const file = join(await directory(), 'rules')
  await writeFile(file, text)
  const { logger, lines } = recordingLogger()
  let now = 0
  const open = () => rulesFile({ file, logger, now: () => now, ...options })
  const rewrite = async (next: string) => {
    await writeFile(file, next)
    now += 1000
  }
  return { file, lines, open, rewrite }
}

const KEPT = 'error a changed file is not usable, its last content stays in use'

describe('rulesFile', () => {
  it('reads one rule a line, and comments', async () => {
    const { open } = await written('# ours\r\n\r\n  # more\na: pull\r\nb: user("#1") pull\n\nregistry:catalog: *')
    const permissions = await open()
    expect(permissions.grantsAnonymous).toBe(false)
    expect(await permissions(alice, access('repository:a:pull'))).toBe(true)
    expect(await permissions(alice, access('repository:b:pull'))).toBe(false)
    expect(await permissions({ subject: '#1' }, access('repository:b:pull'))).toBe(true)
    expect(await permissions(alice, access('registry:catalog:*'))).toBe(true)
    expect(await permissions(undefined, access('repository:a:pull'))).toBe(false)
    expect(await permissions.visible(alice, ['a', 'b', 'c'])).toEqual(['a'])
  })

  it('follows changes, and keeps the last rules where a change is not usable', async () => {
    const { lines, open, rewrite } = await written('a: pull')
    const permissions = await open()
    const may = () =>
      Promise.all(['a', 'b'].map((name) => permissions(alice, { type: 'repository', name, action: 'pull' })))
    expect(await may()).toEqual([true, false])
    await rewrite('b: pull\n')
    expect(await may()).toEqual([false, true])
    await rewrite('# gone\n\na: pul\n')
    expect(await may()).toEqual([false, true])
    await rewrite('')
    expect(await may()).toEqual([false, true])
    await rewrite('a: pull')
    expect(await may()).toEqual([true, false])
    expect(lines).toEqual([
      'info a changed file is in use',
      `${KEPT}: line 3: "pul" is no action: did you mean pull?`,
      `${KEPT}: there is no rule in it, which would deny everything`,
      'warn a changed file is usable again, and in use',
    ])
  })

  it.each([
    ['a: pull\nTeam: pull', 'line 2: "Team" is no repository: names are in lower case, "team"'],
    ['\n# a\n', 'there is no rule in it, which would deny everything'],
    ['a: pull # all', 'line 1: a comment has a line of its own'],
  ])('does not begin with %j', async (text, message) => {
    const { file, open } = await written(text)
    await expect(open()).rejects.toThrow(new Error(`${file}: ${message}`))
  })

  const SAY =
    "it takes tokens to serve those who have not logged in beside those who have: wharfage serve --token-issuer, or tokenIssuer() and { anonymous: 'allow' }"

  it('refuses what is newly for anonymous, as a controller is chosen once', async () => {
    const { lines, open, rewrite } = await written('a: pull')
    const permissions = await open()
    expect(permissions.grantsAnonymous).toBe(false)
    await rewrite('b: pull\na: anonymous pull')
    expect(await permissions.visible(alice, ['a', 'b'])).toEqual(['a'])
    expect(await permissions.visible(undefined, ['a', 'b'])).toEqual([])
    expect(lines).toEqual([
      `${KEPT}: line 2: a rule for anonymous, which no rule was when the file was first read: ${SAY}`,
    ])
  })

  it('refuses all that is for anonymous where it is told to', async () => {
    const { file, open } = await written('a: pull\nregistry:catalog: anonymous *', { anonymous: 'refuse' })
    const message = `${file}: line 2: a rule for anonymous, which is refused here: ${SAY}`
    await expect(open()).rejects.toThrow(new Error(message))
  })

  it.each([
    ['a: pull', 'allow'],
    ['a: anonymous pull', undefined],
  ] as const)('allows what is for anonymous later: %s, %s', async (text, anonymous) => {
    const { open, rewrite } = await written(text, anonymous && { anonymous })
    const permissions = await open()
    expect(permissions.grantsAnonymous).toBe(true)
    await rewrite('b: pull')
    expect(await permissions.visible(undefined, ['a', 'b'])).toEqual([])
    await rewrite('b: anonymous pull')
    expect(await permissions.visible(undefined, ['a', 'b'])).toEqual(['b'])
    expect(permissions.grantsAnonymous).toBe(true)
  })

  it.each([
    [{}, 'the option "file" must be a path or a URL, not undefined'],
    [{ file: '' }, 'the option "file" must be a path or a URL, not the string ""'],
    [{ file: 'x', path: 'x' }, 'rulesFile() has no option "path": there are file, anonymous, intervalMs, now, logger'],
    [{ file: 'x', anonymous: true }, "the option \"anonymous\" must be one of 'refuse', 'allow', not the boolean true"],
    [{ file: 'x', intervalMs: -1 }, 'the option "intervalMs" must be a number, 0 or more, not the number -1'],
  ])('refuses the options %j', async (options, message) => {
    await expect(rulesFile(options as unknown as RulesFileOptions)).rejects.toThrow(new TypeError(message))
  })
})
