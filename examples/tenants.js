// @ts-check
// A registry for each tenant, behind the service's own users: `docker login -u ada -p lovelace 127.0.0.1:5000`, then
// `docker push 127.0.0.1:5000/app`. Another tenant's `app` is another image.
import express from 'express'
import { filesystem, Registry, RegistryError } from 'wharfage'
import { registryMiddleware } from 'wharfage/express'

/** @typedef {{ name: string, password: string, tenant: string, mayPush: boolean }} User */

/** @type {User[]} Stands in for your database. */
const users = [
  { name: 'ada', password: 'lovelace', tenant: 'engines', mayPush: true },
  { name: 'charles', password: 'babbage', tenant: 'engines', mayPush: false },
  { name: 'grace', password: 'hopper', tenant: 'compilers', mayPush: true },
]

/** The user whom the middleware below has put on the request. @param {import('wharfage').HttpRequest} request */
function userOf({ raw }) {
  const { user } = /** @type {{ user?: User }} */ (raw)
  if (user !== undefined) return user
  throw new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': 'Basic realm="wharfage"' } })
}

/** @type {import('wharfage').AccessController} */
const access = {
  async authorize(request, required) {
    const user = userOf(request)
    /** @param {import('wharfage').Access} needed */
    const allows = (needed) => needed.action === 'pull' || user.mayPush
    if (!required.every(allows)) throw new RegistryError('DENIED', { message: `${user.name} may only pull` })
    return { subject: user.name, allows }
  },
}

/** @type {Map<string, Registry>} */
const registries = new Map()

/** Called for each request, once access is granted. @param {import('wharfage').HttpRequest} request */
function registryOf(request) {
  const { tenant } = userOf(request)
  let registry = registries.get(tenant)
  if (registry === undefined) {
    registry = new Registry({ storage: filesystem(`./registry-data/${tenant}`) })
    registries.set(tenant, registry)
  }
  return registry
}

const app = express()
app.use((request, _response, next) => {
  const [scheme, credentials = ''] = (request.headers.authorization ?? '').split(' ')
  const [name, password] = Buffer.from(credentials, 'base64').toString().split(':')
  const user = users.find((one) => scheme === 'Basic' && one.name === name && one.password === password)
  next(void Object.assign(request, { user }))
})
app.use(registryMiddleware(registryOf, { access }))

const server = app.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
server.requestTimeout = 0
process.once('SIGTERM', () => server.close(() => Promise.all([...registries.values()].map((one) => one.close()))))
