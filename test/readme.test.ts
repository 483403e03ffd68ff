import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hash } from 'bcrypt'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COPY_OPTIONS } from '../src/cli/copy-options.ts'
import { DELETE_OPTIONS } from '../src/cli/delete.ts'
import { serveHelp } from '../src/cli/serve.ts'
import { SERVE_OPTIONS } from '../src/cli/serve-options.ts'
import { digestOf } from '../src/spec/digest.ts'
import { HttpClient } from './support/http-client.ts'
import { RunningCommand } from './support/server-process.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const README = await readFile(join(ROOT, 'README.md'), 'utf8')

/** Of all commands that are shown. */
const OPTIONS = { ...SERVE_OPTIONS, ...COPY_OPTIONS, ...DELETE_OPTIONS }

interface Snippet {
  readonly language: string
  readonly code: string
  /** For the names of files and tests. */
  readonly name: string
}

const SNIPPETS: readonly Snippet[] = [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
  ([, language = '', code = ''], i) => ({
    language,
    code,
    name: `${i}-${/'wharfage\/(\w+)'/.exec(code)?.[1] ?? 'core'}`,
  }),
)
const PROGRAMS = SNIPPETS.filter(({ language }) => language === 'js' || language === 'ts')
const SERVERS = PROGRAMS.filter(({ code }) => /\b(listen|serve)\(/.test(code))

/** What the table of imports says, as a program: `import type` takes values as well. */
const TABLE = importsOf(README)

function importsOf(readme: string): string {
  const [, section = ''] = /^## What to import\n(.*?)^## /ms.exec(readme) ?? []
  let from = ''
  const imports = []
  for (const [, path = '', names = ''] of section.matchAll(/^\| (?:`(wharfage[^`]*)` )?\| (`[^|]*) \|/gm)) {
    from = path || from
    // A name may stand there twice, from two frameworks.
    const numbered = [...names.matchAll(/`(\w+)/g)].map(([, name]) => `${name} as ${name}${imports.length}`)
    imports.push(`export type { ${numbered.join(', ')} } from '${from}'\n`)
  }
  return imports.join('')
}

/** What the table of events says, as a program: each event with what it tells, and no event left out. */
const EVENTS = eventsOf(README)

function eventsOf(readme: string): string {
  const [, table = ''] = /^\| Event \| Tells \|\n(.*?)\n\n/ms.exec(readme) ?? []
  const rows = table.split('\n').slice(1)
  const told = rows.flatMap((row) => {
    const [, events = '', tells = ''] = row.split('|')
    const fields = [...tells.replace(/\(.*?\)/g, '').matchAll(/`(\w+)`/g)].map(([, field]) => `'${field}'`)
    return [...events.matchAll(/`([\w.]+)`/g)].map(([, event]) => `  '${event}': ${fields.join(' | ') || 'never'}`)
  })
  return `import type { EventBase, RegistryEvent } from 'wharfage'
export interface Told {\n${told.join('\n')}\n}
type Fields = { [T in RegistryEvent['type']]: Exclude<keyof Extract<RegistryEvent, { type: T }>, keyof EventBase | 'type'> }
export const isWhole: Told extends Fields ? (Fields extends Told ? true : false) : false = true
`
}

/** Makes every server of a snippet listen on a free port, and say on which. */
const FREE_PORT = `
import { Server } from 'node:net'
const { listen } = Server.prototype
Server.prototype.listen = function (...args) {
  if (args[0] !== null && typeof args[0] === 'object') args[0] = { ...args[0], port: 0 }
  else args[0] = 0
  this.once('listening', () => console.log('listening on http://127.0.0.1:' + this.address().port))
  return listen.apply(this, args)
}
`

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wharfage-readme-'))
  // As in a project that depends on the package, so that its exports are what is used.
  await mkdir(join(directory, 'node_modules/@hono'), { recursive: true })
  await symlink(ROOT, join(directory, 'node_modules/wharfage'), 'dir')
  for (const name of ['express', 'koa', 'fastify', 'hono', '@hono/node-server', '@types']) {
    await symlink(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name), 'dir')
  }
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  await writeFile(join(directory, 'users.htpasswd'), `team:${await hash('secret', 4)}\n`)
  await writeFile(join(directory, 'free-port.js'), FREE_PORT)
  await writeFile(join(directory, 'table.ts'), TABLE)
  await writeFile(join(directory, 'events.ts'), EVENTS)
  for (const { name, code } of PROGRAMS) {
    await writeFile(join(directory, `${name}.ts`), code)
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    })
    await writeFile(join(directory, `${name}.js`), outputText)
  }
})
afterAll(() => rm(directory, { recursive: true, force: true }))

function start(snippet: Snippet): RunningCommand {
  // The AWS SDK warns of Node 20, which it is going to leave.
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  // A program that starts a server of its own accord takes any port, and says what it wants to.
  const preloaded = SERVERS.includes(snippet) ? ['--import', './free-port.js'] : []
  return new RunningCommand([...preloaded, `./${snippet.name}.js`], { cwd: directory, env })
}

/** As a client has it that asks `/v2/` how to log in: Docker's does so once, and others as it does. */
async function authorization(client: HttpClient): Promise<string> {
  const basic = `Basic ${Buffer.from('team:secret').toString('base64')}`
  const challenge = (await client.send('GET', '/v2/')).headers['www-authenticate'] ?? ''
  const [, realm] = /^Bearer realm="([^"]+)"/.exec(challenge) ?? []
  if (realm === undefined) return basic
  const scopes = ['repository:team/app:pull,push', 'repository:other/app:pull,push'].map((scope) => `scope=${scope}`)
  const { body } = await client.send('GET', `${realm}?${scopes.join('&')}`, { headers: { authorization: basic } })
  return `Bearer ${JSON.parse(body.toString()).token}`
}

describe('README.md', () => {
  it('has programs, and tables of names and events, that compile against the package as it is built', () => {
    const options: ts.CompilerOptions = {
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      types: ['node'],
      typeRoots: [join(directory, 'node_modules/@types')],
    }
    const program = ts.createProgram(
      ['table', 'events', ...PROGRAMS.map(({ name }) => name)].map((name) => join(directory, `${name}.ts`)),
      options,
    )
    const diagnostics = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
      return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
    expect(diagnostics).toEqual([])
    expect(PROGRAMS.length).toBeGreaterThan(5)
    expect(TABLE.match(/ as /g)?.length).toBeGreaterThan(30)
  })

  it.each(PROGRAMS.filter((snippet) => !SERVERS.includes(snippet)))(
    'has a program, $name, that prints what it says',
    async (snippet) => {
      await using command = start(snippet)
      const { code } = await command.exit
      expect({ code, stderr: command.stderr }).toEqual({ code: 0, stderr: '' })
      const expected = [...snippet.code.matchAll(/\/\/ → (.*)$/gm)].map(([, line]) => line)
      expect(command.stdout.trimEnd().split('\n')).toEqual(expected)
      expect(expected).not.toEqual([])
    },
  )

  it.each(SERVERS)('has a server, $name, that can be pushed to', async (snippet) => {
    await using command = start(snippet)
    using client = new HttpClient(await command.listening())
    const body = Buffer.from(snippet.name)
    const digest = digestOf(body)
    const headers = { authorization: await authorization(client) }
    expect(await client.send('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, { headers, body })).toMatchObject({
      status: 201,
      headers: { location: `/v2/team/app/blobs/${digest}` },
    })
    expect(await client.send('GET', `/v2/team/app/blobs/${digest}`, { headers })).toMatchObject({ status: 200, body })
    if (!snippet.code.includes('anyone()')) {
      // Where clients look for the challenge: without one here, skopeo and Docker never send a password.
      expect((await client.send('GET', '/v2/')).status).toBe(401)
      expect((await client.send('GET', '/v2/', { headers })).status).toBe(200)
      expect((await client.send('POST', '/v2/team/app/blobs/uploads/')).status).toBe(401)
      // With a token for less, clients are to fetch another one.
      const denied = headers.authorization.startsWith('Bearer ') ? 401 : 403
      expect((await client.send('POST', '/v2/other/app/blobs/uploads/', { headers })).status).toBe(denied)
    }
  })

  it('shows the help of the command as it is', () => {
    const shown = SNIPPETS.find(({ code }) => code.startsWith('$ npx wharfage serve --help\n'))
    expect(shown?.code).toBe(`$ npx wharfage serve --help\n${serveHelp()}\n`)
  })

  it('names options of the command and scripts of the package that are there', async () => {
    const flags = [...README.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, name = '']) => name)
    expect(flags.filter((name) => name !== 'help' && !Object.hasOwn(OPTIONS, name))).toEqual([])
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const shell = SNIPPETS.filter(({ language }) => language === 'sh')
      .map(({ code }) => code)
      .join()
    expect(shell).toContain('npm ci && npm start')
    expect(shell).toContain('npm ci && npm test')
    // A build takes seconds, in which nothing else is said.
    expect(scripts.prestart).toMatch(/^echo building /)
    for (const [, name = ''] of shell.matchAll(/npm (?:run )?(start|test|\S+:\S+)/g))
      expect(scripts).toHaveProperty([name])
  })
})
