import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { COMMAND, RunningCommand } from '../support/server-process.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'

const temporary = temporaryDirectories()
const LOGIN = `Basic ${Buffer.from('ann:s3cret').toString('base64')}`
let directory = ''
let server: Server
let host = ''

/** A registry that lets in ann alone, and has a tag. */
beforeEach(async () => {
  directory = await temporary()
  server = createServer((req, res) => {
    if (req.headers.authorization === LOGIN) res.writeHead(200).end('{"name":"app","tags":["v1"]}')
    else res.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  host = `127.0.0.1:${(server.address() as AddressInfo).port}` // of a TCP server that listens
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function run(args: readonly string[], input?: string) {
  const env = { PATH: process.env.PATH, HOME: directory, DOCKER_CONFIG: directory }
  await using command = new RunningCommand([COMMAND, ...args], { env, ...(input !== undefined && { input }) })
  const { code } = await command.exit
  return { code, stdout: command.stdout, stderr: command.stderr }
}

const logins = async () =>
  (JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as { auths: object }).auths // as docker writes it

describe('wharfage login', () => {
  it('writes down a login that the registry takes, which other commands use, and logout forgets', async () => {
    expect(await run(['tags', `docker://${host}/app`])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^wharfage: (.*) refuses what it was asked without a login \(401\): wharfage login \1\n$/,
      ),
    })
    expect(await run(['login', host, '--username', 'ann', '--password-stdin'], 's3cret\n')).toEqual({
      code: 0,
      stdout: `logged in to ${host}; kept in ${join(directory, 'config.json')}, which is not encrypted\n`,
      stderr: '',
    })
    expect(await logins()).toEqual({ [host]: { auth: LOGIN.slice('Basic '.length) } })
    expect(await run(['tags', `docker://${host}/app`])).toMatchObject({ code: 0, stdout: 'v1\n' })
    expect((await run(['logout', host])).stdout).toBe(`logged out of ${host}\n`)
    expect(await logins()).toEqual({})
    expect((await run(['logout', host])).stdout).toBe(`there was no login for ${host}\n`)
  })

  it('writes down none that the registry refuses, and repeats no password', async () => {
    const { code, stderr } = await run(['login', host, '--username', 'ann', '--password-stdin'], 'wrong-password')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(`^wharfage: ${host} refuses this login: `),
    })
    expect(stderr).not.toContain('wrong-password')
    await expect(logins()).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.each([
    [['login'], 'HOST is missing (--help lists the options)'],
    [['login', 'a.example'], 'without a terminal to ask on, a login needs --username'],
    [['login', 'a.example', '--username', 'ann'], 'without a terminal to ask on, a login needs --password-stdin'],
    [['login', 'docker://a.example'], 'docker://a.example: a login is for a host: write a.example'],
    [['logout'], 'HOST is missing (--help lists the options)'],
  ])('fails: %j', async (args, message) => {
    expect(await run(args)).toEqual({ code: 2, stdout: '', stderr: `wharfage: ${message}\n` })
  })

  it('takes one for a command without writing it down', async () => {
    expect(await run(['tags', `docker://${host}/app`, '--creds', 'ann:s3cret'])).toMatchObject({
      code: 0,
      stdout: 'v1\n',
    })
    await expect(logins()).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
