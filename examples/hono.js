// @ts-check
// A registry beside an API in Hono, on Node: `docker push 127.0.0.1:5000/team/app`.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { anyone, filesystem, Registry } from 'wharfage'
import { registryMiddleware } from 'wharfage/fetch'

const registry = new Registry({ storage: filesystem('./registry-data') })

const app = new Hono()
app.use(registryMiddleware(registry, { access: anyone() }))
app.get('/', (c) => c.json({ service: 'mine' }))

const server = serve(
  {
    fetch: app.fetch,
    port: Number(process.env.PORT ?? 5000),
    hostname: '127.0.0.1',
    // Node would end any request after five minutes, and big layers take longer.
    serverOptions: { requestTimeout: 0, headersTimeout: 60_000 },
  },
  ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
)
process.once('SIGTERM', () => server.close(() => registry.close()))
