// @ts-check
// Clients show certificates: the common name is who they are, the organizational units are their groups. Docker's engine looks for its own
// in /etc/docker/certs.d/HOST:PORT/client.cert and client.key, beside ca.crt for the server's.
//   TLS_CERT, TLS_KEY, CLIENT_CA  files, PEM; they are read again when they change
import { memory, Registry } from 'wharfage'
import { clientCertificate, identityAccess, rules } from 'wharfage/auth'
import { createTlsRegistryServer } from 'wharfage/node'

const { TLS_CERT = 'cert.pem', TLS_KEY = 'key.pem', CLIENT_CA = 'ca.pem' } = process.env

const access = identityAccess({
  authenticate: clientCertificate(),
  permissions: rules(['**: @deploy pull', 'team/**: @build pull, push']),
})

const server = await createTlsRegistryServer(new Registry({ storage: memory() }), {
  access,
  tls: { cert: TLS_CERT, key: TLS_KEY, clientCa: CLIENT_CA, minVersion: 'TLSv1.3' },
})
server.listen(Number(process.env.PORT ?? 5000), '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`listening on https://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close())
