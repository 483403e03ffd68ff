// @ts-check
// Tokens of an identity provider of your own: this registry gives none out, and trusts the keys that the provider publishes.
//   SERVICE  what the provider calls this registry: the "aud" of its tokens
//   ISSUER   the "iss" of its tokens; keys are at ISSUER/jwks.json, and clients fetch tokens at ISSUER/token
import { memory, Registry } from 'wharfage'
import { jwksUrl, tokenAccess } from 'wharfage/auth'
import { createRegistryServer } from 'wharfage/node'

const { SERVICE = 'registry.example', ISSUER = 'https://id.example' } = process.env

const access = tokenAccess({
  service: SERVICE,
  realm: `${ISSUER}/token`,
  issuers: [{ issuer: ISSUER, keys: jwksUrl({ url: `${ISSUER}/jwks.json` }) }],
})

const server = createRegistryServer(new Registry({ storage: memory() }), { access })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close())
