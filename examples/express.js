// @ts-check
// A registry beside an API in Express: `docker push 127.0.0.1:5000/team/app`.
import express from 'express'
import { anyone, filesystem, Registry } from 'wharfage'
import { registryMiddleware } from 'wharfage/express'

const registry = new Registry({ storage: filesystem('./registry-data') })

const app = express()
// Before body parsers: what they read is gone.
app.use(registryMiddleware(registry, { access: anyone() }))
app.use(express.json())
app.get('/', (_request, response) => void response.json({ service: 'mine' }))

const server = app.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
// Node would end any request after five minutes, and big layers take longer.
server.requestTimeout = 0
process.once('SIGTERM', () => server.close(() => registry.close()))
