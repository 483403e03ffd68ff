// @ts-check
// A registry beside an API in Fastify: `docker push 127.0.0.1:5000/team/app`.
import fastify from 'fastify'
import { anyone, filesystem, Registry } from 'wharfage'
import { registryPlugin } from 'wharfage/fastify'

const registry = new Registry({ storage: filesystem('./registry-data') })

const app = fastify()
await app.register(registryPlugin(registry, { access: anyone() }))
app.get('/', () => ({ service: 'mine' }))

const origin = await app.listen({ port: Number(process.env.PORT ?? 5000), host: '127.0.0.1' })
console.log(`listening on ${origin}`)
process.once('SIGTERM', async () => {
  await app.close()
  await registry.close()
})
