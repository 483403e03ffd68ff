// @ts-check
// A service whose own users own repositories: whoever has a session in its console, or one of its access tokens, pushes and pulls below
// their own name. `curl -X POST 127.0.0.1:5000/login -d name=alice` gives both.
import { randomUUID } from 'node:crypto'
import express from 'express'
import { memory, Registry } from 'wharfage'
import { authorizationOf, basicChallenge, identityAccess, rules, sameOrigin } from 'wharfage/auth'
import { registryMiddleware } from 'wharfage/express'

/** Sessions and access tokens of this service, in a database elsewhere. @type {Map<string, string>} */
const sessions = new Map()
/** @type {Map<string, string>} */
const accessTokens = new Map()

const access = identityAccess({
  authenticate: [
    // A browser sends its cookie by itself, also for pages of others: those may read here, and change nothing.
    sameOrigin(({ headers }) => {
      const user = sessions.get(/session=([\w-]+)/.exec(String(headers.cookie))?.[1] ?? '')
      return user === undefined ? undefined : { subject: user }
    }),
    // `docker login` with an access token for a password.
    (request) => {
      const sent = authorizationOf(request)
      const user = sent.scheme === 'basic' ? accessTokens.get(sent.password) : undefined
      return user === undefined ? undefined : { subject: user }
    },
  ],
  permissions: rules(['{user}/**: pull, push, delete']),
  challenge: basicChallenge('console'),
})

const app = express()
app.use(registryMiddleware(new Registry({ storage: memory() }), { access }))
app.post('/login', express.urlencoded({ extended: false }), (request, response) => {
  // Here a password would be asked for.
  const [session, token] = [randomUUID(), randomUUID()]
  sessions.set(session, request.body.name)
  accessTokens.set(token, request.body.name)
  response.cookie('session', session, { httpOnly: true, sameSite: 'lax' }).json({ token })
})

const server = app.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
server.requestTimeout = 0
process.once('SIGTERM', () => server.close())
