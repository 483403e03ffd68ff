// What people import from `wharfage/remote`: a registry over HTTP as a backend, and how to log in to it.
export type { RetryOptions } from './client/retries.ts'
export { type CredentialContext, type CredentialSource, type Credentials, firstOf } from './credentials/credentials.ts'
export { type DockerConfigOptions, dockerConfig } from './credentials/docker-config.ts'
export { eraseCredentials, type KeptIn, type StoreOptions, storeCredentials } from './credentials/store.ts'
export { RemoteBackend, type RemoteOptions } from './remote-backend.ts'
export { type RemoteRegistries, remoteRegistries } from './remote-registries.ts'
export type { TlsOptions } from './transport/http-client.ts'
export { type ProxyFor, proxyFromEnvironment } from './transport/proxy.ts'
