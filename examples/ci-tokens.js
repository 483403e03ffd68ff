// @ts-check
// A CI system's own tokens in place of a password: a workflow on the main branch of org/app may push to org/app, and nothing in it is
// secret. Everybody may pull. In a workflow of GitHub, with `permissions: { id-token: write }`:
//   curl -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=registry.example" |
//     jq -r .value | docker login registry.example --username ci --password-stdin
import { memory, Registry } from 'wharfage'
import { celCondition, rules, tokenIssuer } from 'wharfage/auth'
import { createRegistryServer } from 'wharfage/node'

const { ISSUER = 'https://token.actions.githubusercontent.com', AUDIENCE = 'registry.example' } = process.env

const access = tokenIssuer({
  oidc: [
    {
      issuer: ISSUER,
      audience: AUDIENCE,
      condition: await celCondition("repository == 'org/app' && ref == 'refs/heads/main'"),
      identity: ({ repository }) => ({ subject: String(repository), groups: ['ci'] }),
    },
  ],
  permissions: rules(['org/app: @ci pull, push', '**: anonymous pull']),
})

const server = createRegistryServer(new Registry({ storage: memory() }), { access })
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close())
