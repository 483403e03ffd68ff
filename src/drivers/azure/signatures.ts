import {
  BlobSASPermissions,
  BlobServiceClient,
  type BlockBlobClient,
  type ContainerClient,
  SASProtocol,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from '@azure/storage-blob'
import type { AzureTokenCredential } from './options.ts'

const SCOPE = 'https://storage.azure.com/.default'
/** Of a signature with which the service reads a source of ours. */
const SOURCE_MS = 60 * 60 * 1000
const KEY_MS = 24 * 60 * 60 * 1000
/** Clocks differ. */
const SKEW_MS = 5 * 60 * 1000

/** Signs URLs of blobs: with the account's key, or with one that the service lends to whoever has a token. */
export class AzureSignatures {
  readonly #container: ContainerClient
  #lent: { readonly key: Promise<UserDelegationKey>; readonly until: number } | undefined

  constructor(container: ContainerClient) {
    this.#container = container
  }

  /** `undefined` where a shared access signature is all we have: it cannot make another one. */
  async url(blob: BlockBlobClient, expiresInMs: number, contentType: string): Promise<URL | undefined> {
    const options = {
      permissions: BlobSASPermissions.parse('r'),
      startsOn: new Date(Date.now() - SKEW_MS),
      expiresOn: new Date(Date.now() + expiresInMs),
      protocol: blob.url.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
      contentType,
    }
    if (this.#container.credential instanceof StorageSharedKeyCredential) {
      return new URL(await blob.generateSasUrl(options))
    }
    if (this.#token === undefined) return undefined
    return new URL(await blob.generateUserDelegationSasUrl(options, await this.#delegationKey(expiresInMs)))
  }

  /** How the service may read a blob of ours as the source of a copy. */
  async source(blob: BlockBlobClient): Promise<{
    readonly url: string
    readonly authorization?: { readonly scheme: string; readonly value: string }
  }> {
    if (this.#container.credential instanceof StorageSharedKeyCredential) {
      const url = await this.url(blob, SOURCE_MS, 'application/octet-stream')
      return { url: url?.href ?? blob.url }
    }
    // Without a token, the URL of the client has its shared access signature in it.
    const token = await this.#token?.getToken(SCOPE)
    return { url: blob.url, ...(token && { authorization: { scheme: 'Bearer', value: token.token } }) }
  }

  get #token(): AzureTokenCredential | undefined {
    const { credential } = this.#container
    return 'getToken' in credential ? credential : undefined
  }

  #delegationKey(expiresInMs: number): Promise<UserDelegationKey> {
    const now = Date.now()
    if (this.#lent === undefined || this.#lent.until < now + expiresInMs) {
      const until = now + KEY_MS
      const { url, containerName, credential } = this.#container
      const service = new BlobServiceClient(url.slice(0, url.lastIndexOf(`/${containerName}`)), credential)
      const key = service.getUserDelegationKey(new Date(now - SKEW_MS), new Date(until))
      key.catch(() => {
        this.#lent = undefined
      })
      this.#lent = { key, until }
    }
    return this.#lent.key
  }
}
