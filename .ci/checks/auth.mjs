// Who may do what, by real clients: a registry with passwords, and one with rules that gives out tokens itself. Docker's engine,
// containerd, skopeo, crane, oras and regctl log in, push and pull, and are refused what they may not. Then tokens cross over: one that
// PyJWT made opens our registry, and Distribution takes those of our issuer.
import { copyFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { memory, Registry } from 'wharfage'
import { jwksFile, tokenAccess, tokenIssuer } from 'wharfage/auth'
import { registryListener } from 'wharfage/node'
import { Check } from './lib/check.mjs'
import { clients } from './lib/clients.mjs'
import { startContainerd, startEngine } from './lib/engines.mjs'
import { startDistribution } from './lib/foreign.mjs'
import { writeLayout } from './lib/layout.mjs'
import { startRegistry } from './lib/registry.mjs'
import { run } from './lib/run.mjs'
import { withScope } from './lib/scope.mjs'

const check = new Check('auth')

/** By `htpasswd -nbB`: of `wonderland` and `villainy`. */
const HTPASSWD = `alice:$2y$05$1FO/fH7CyQpAq3COgk07X.d8q9toBLMsvsvzIpcWAIRtQsSma9eCq
mallory:$2y$05$emFwDmbULjYDjNevM8niVudsWBHk2FXBHMpyTVhQ5tYyQKaogFrm.
`
const ALICE = { name: 'alice', password: 'wonderland' }
const MALLORY = { name: 'mallory', password: 'villainy' }

const RULES = `# Everybody pulls what is common; alice pushes it.
library/*: anonymous pull
library/*: user(alice) pull, push
private/*: user(alice) *
`

const logins = {
  crane: (tool, host, { name, password }) => tool('auth', 'login', host, '-u', name, '-p', password),
  skopeo: (tool, host, { name, password }) => tool('login', '--tls-verify=false', '-u', name, '-p', password, host),
  oras: (tool, host, { name, password }) => tool('login', '--plain-http', '-u', name, '-p', password, host),
  regctl: (tool, host, { name, password }) =>
    tool('registry', 'login', '--skip-check=false', '-u', name, '-p', password, host),
}

await withScope(async (scope) => {
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  const dir = await scope.tempDir('auth')
  await writeFile(join(dir, 'htpasswd'), HTPASSWD)
  await writeFile(join(dir, 'rules'), RULES)
  await writeFile(join(dir, 'private-rules'), RULES.replace('library/*: anonymous pull\n', ''))
  const users = ['--htpasswd', join(dir, 'htpasswd')]
  const kinds = {
    passwords: [...users, '--rules', join(dir, 'private-rules')],
    tokens: [...users, '--rules', join(dir, 'rules'), '--token-issuer', 'generate'],
  }
  const docker = await startEngine(scope, await scope.tempDir('docker'))
  const ctr = await startContainerd(scope, await scope.tempDir('containerd'))
  for (const [kind, args] of Object.entries(kinds)) {
    const registry = await startRegistry(scope, { kind: 'wharfage', storage: 'memory:', args })
    const context = { scope, layout, registry, kind, isOpen: kind === 'tokens' }
    // Together: regctl tries for most of a minute before it takes a no.
    const each = Object.keys(logins).map((name) => byClient(context, name))
    await Promise.all([...each, byDocker(context, docker), byContainerd(context, ctr)])
    await check.step(`${kind}: the registry stops when asked`, () => registry.stop())
  }
  await tokenOfPython(scope, dir)
  await tokensForDistribution(scope)
})
check.finish()

/** One that needs no daemon, with a home of its own for each who uses it. */
async function byClient({ scope, layout, registry, kind, isOpen }, name) {
  const { host } = registry
  const home = async () => clients(await scope.tempDir('home'), host)
  const step = (what, work) => check.step(`${kind}: ${name} ${what}`, work)
  const as = async (who) => {
    const client = (await home())[name]
    await logins[name](client.tool, host, who)
    return client
  }
  const dirFor = async () => join(await scope.tempDir('pulled'), 'layout')
  await step('is told that a password is wrong', () =>
    // crane takes any to begin with.
    refused(async () => (await as({ ...ALICE, password: 'guess' })).tags(`${host}/private/app`)),
  )
  await step('logs in, pushes and pulls', async () => {
    const client = await as(ALICE)
    for (const repository of [`${host}/private/${name}`, `${host}/library/${name}`]) {
      await client.push(layout, 'multi', `${repository}:v1`)
      same(await client.pull(`${repository}:v1`, await dirFor()), layout.multi.digest)
    }
  })
  await step('may not push or pull what is somebody else’s', async () => {
    const client = await as(MALLORY)
    await refused(async () => client.pull(`${host}/private/${name}:v1`, await dirFor()))
    await refused(() => client.push(layout, 'image', `${host}/private/${name}:v2`))
    await refused(() => client.push(layout, 'image', `${host}/library/${name}:v2`))
  })
  await step('may not pull what is private without a password', async () => {
    const client = (await home())[name]
    await refused(async () => client.pull(`${host}/private/${name}:v1`, await dirFor()))
  })
  if (!isOpen) return
  await step('pulls what is everybody’s without a password', async () => {
    const client = (await home())[name]
    same(await client.pull(`${host}/library/${name}:v1`, await dirFor()), layout.multi.digest)
  })
}

/** The engine remembers the challenge of /v2/: what skopeo and crane forgive shows here. */
async function byDocker({ scope, registry, kind, isOpen }, docker) {
  const { host } = registry
  const step = (what, work) => check.step(`${kind}: docker ${what}`, work)
  const context = await scope.tempDir('context')
  await copyFile(await run('which', ['crane']), join(context, 'crane'))
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY crane /crane\n')
  const [open, secret] = [`${host}/library/docker:v1`, `${host}/private/docker:v1`]
  const forget = async () => {
    const ids = (await docker('image', 'ls', '-q')).split('\n').filter(Boolean)
    if (ids.length > 0) await docker('image', 'rm', '-f', ...new Set(ids))
  }
  const fails = async (...args) => {
    const { code, stderr } = await docker.attempt(...args)
    if (code === 0 || !/denied|unauthorized|authentication required|no basic auth/i.test(stderr))
      throw new Error(`${code}: ${stderr}`)
  }
  await step('builds an image', async () => {
    await docker('build', '-q', '-t', open, '-t', secret, context)
  })
  await step('may not push before it has logged in', () => fails('push', secret))
  await step('is told that a password is wrong', () => fails('login', '-u', 'alice', '-p', 'guess', host))
  await step('logs in and pushes', async () => {
    await docker('login', '-u', ALICE.name, '-p', ALICE.password, host)
    for (const image of [open, secret]) await docker('push', image)
  })
  await step('pulls it back', async () => {
    await forget()
    for (const image of [open, secret]) await docker('pull', image)
  })
  await step('may not pull what is private after it has logged out', async () => {
    await docker('logout', host)
    await forget()
    await fails('pull', secret)
  })
  await step(`${isOpen ? 'pulls' : 'may not pull'} what ${isOpen ? 'is everybody’s' : 'needs a password'}`, () =>
    isOpen ? docker('pull', open) : fails('pull', open),
  )
  await step('may not push with somebody else’s password', async () => {
    await docker('build', '-q', '-t', open, '-t', secret, context)
    await docker('login', '-u', MALLORY.name, '-p', MALLORY.password, host)
    await fails('push', secret)
    await fails('push', open)
    await docker('logout', host)
  })
  await forget()
}

async function byContainerd({ registry, layout, scope, kind, isOpen }, ctr) {
  const { host } = registry
  const step = (what, work) => check.step(`${kind}: containerd ${what}`, work)
  const archive = join(await scope.tempDir('archive'), 'layout.tar')
  await run('tar', ['-cf', archive, '-C', layout.dir, 'oci-layout', 'index.json', 'blobs'])
  const user = ['--user', `${ALICE.name}:${ALICE.password}`]
  const pull = (...args) => ctr('image', 'pull', '--plain-http', '--snapshotter', 'native', '--all-platforms', ...args)
  const forget = async () => {
    const images = (await ctr('image', 'ls', '-q')).split('\n').filter(Boolean)
    if (images.length > 0) await ctr('image', 'rm', '--sync', ...images)
  }
  for (const repository of ['library', 'private']) {
    const name = `${host}/${repository}/ctr`
    await step(`pushes to ${repository} and pulls`, async () => {
      await ctr('image', 'import', '--no-unpack', '--all-platforms', '--base-name', name, archive)
      await refused(() => ctr('image', 'push', '--plain-http', `${name}:multi`))
      await ctr('image', 'push', '--plain-http', ...user, `${name}:multi`)
      await forget()
      await pull(...user, `${name}:multi`)
      await forget()
    })
  }
  await step('may not pull what is private without a password', () => refused(() => pull(`${host}/private/ctr:multi`)))
  if (isOpen) await step('pulls what is everybody’s without a password', () => pull(`${host}/library/ctr:multi`))
  await forget()
}

/** An implementation that nobody here wrote: its key is ours to trust, its token is for our registry. */
async function tokenOfPython(scope, dir) {
  const script = [
    'import json, sys, time, jwt',
    'from cryptography.hazmat.primitives.asymmetric import ec, rsa, ed25519',
    'keys = {"ES256": ec.generate_private_key(ec.SECP256R1()), "RS256": rsa.generate_private_key(65537, 2048),',
    '        "EdDSA": ed25519.Ed25519PrivateKey.generate()}',
    'jwks, tokens, now = [], {}, int(time.time())',
    'access = [{"type": "repository", "name": "team/app", "actions": ["pull"]}]',
    'for alg, key in keys.items():',
    '  algorithm = jwt.get_algorithm_by_name(alg)',
    '  jwk = algorithm.to_jwk(key.public_key(), as_dict=True)',
    '  jwks.append({**jwk, "kid": alg, "use": "sig"})',
    '  claims = {"iss": "python", "sub": "alice", "aud": "ci", "exp": now + 300, "nbf": now, "iat": now, "access": access}',
    '  tokens[alg] = jwt.encode(claims, key, alg, headers={"kid": alg})',
    '  tokens[alg + " expired"] = jwt.encode({**claims, "exp": now - 3600}, key, alg, headers={"kid": alg})',
    'print(json.dumps({"jwks": {"keys": jwks}, "tokens": tokens}))',
  ]
  await writeFile(join(dir, 'mint.py'), script.join('\n'))
  const python = process.env.WHARFAGE_CI_PYTHON ?? join(process.env.PATH.split(':')[0], 'python/bin/python')
  const { jwks, tokens } = JSON.parse(await run(python, [join(dir, 'mint.py')]))
  await writeFile(join(dir, 'jwks.json'), JSON.stringify(jwks))
  const issuers = [{ issuer: 'python', keys: jwksFile({ file: join(dir, 'jwks.json') }) }]
  const access = tokenAccess({ service: 'ci', realm: 'http://127.0.0.1:1/token', issuers })
  const url = await listen(scope, registryListener(new Registry({ storage: memory() }), { access }))
  for (const [name, token] of Object.entries(tokens)) {
    const { status } = await fetch(`${url}/v2/team/app/tags/list`, { headers: { authorization: `Bearer ${token}` } })
    check.equal(`a token of PyJWT, ${name}`, status, name.includes('expired') ? 401 : 404) // nothing was pushed there
  }
}

/** Distribution as the resource server of our issuer: it trusts the key, and nothing else of ours. */
async function tokensForDistribution(scope) {
  const issuer = tokenIssuer({
    service: 'wharfage-ci',
    check: ({ username, password }) =>
      username === ALICE.name && password === ALICE.password ? { subject: username } : undefined,
  })
  const url = await listen(scope, registryListener(new Registry({ storage: memory() }), { access: issuer }))
  const jwks = join(await scope.tempDir('jwks'), 'jwks.json')
  await writeFile(jwks, JSON.stringify(issuer.jwks()))
  const realm = `${url}/v2/_wharfage/token`
  const token = { realm, service: 'wharfage-ci', issuer: 'wharfage-ci', jwks, signingalgorithms: ['ES256'] }
  const distribution = await startDistribution(scope, { auth: { token } })
  const layout = await writeLayout(join(await scope.tempDir('layout'), 'layout'))
  // Not crane, which fetches no token from another port of this machine.
  const { skopeo } = clients(await scope.tempDir('home'), distribution.host)
  await check.step('Distribution refuses whoever has no token', () =>
    refused(() => skopeo.push(layout, 'image', `${distribution.host}/team/app:v1`)),
  )
  await check.step('Distribution takes the tokens of our issuer', async () => {
    await logins.skopeo(skopeo.tool, distribution.host, ALICE)
    await skopeo.push(layout, 'image', `${distribution.host}/team/app:v1`)
    const dir = join(await scope.tempDir('pulled'), 'layout')
    same(await skopeo.pull(`${distribution.host}/team/app:v1`, dir), layout.image.digest)
  })
}

async function listen(scope, listener) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  scope.onClose(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${server.address().port}`
}

/** Fails when `work` does not, or for another reason than that it may not. */
async function refused(work) {
  let message
  try {
    await work()
  } catch (error) {
    message = error.message
  }
  if (message === undefined) throw new Error('was not refused')
  const reasons =
    /unauthorized|denied|forbidden|\b40[13]\b|authentication required|authorization failed|credential|password/i
  if (!reasons.test(message)) {
    throw new Error(message)
  }
}

function same(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}\ngot      ${got}`)
}
