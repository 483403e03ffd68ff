// @ts-check
// A registry beside an API in Koa: `docker push 127.0.0.1:5000/team/app`.
import Koa from 'koa'
import { anyone, filesystem, Registry } from 'wharfage'
import { registryMiddleware } from 'wharfage/koa'

const registry = new Registry({ storage: filesystem('./registry-data') })

const app = new Koa()
// Before body parsers: what they read is gone.
app.use(registryMiddleware(registry, { access: anyone() }))
app.use((ctx) => {
  ctx.body = { service: 'mine' }
})

const server = app.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
// Node would end any request after five minutes, and big layers take longer.
server.requestTimeout = 0
process.once('SIGTERM', () => server.close(() => registry.close()))
