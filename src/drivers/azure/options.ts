import { AnonymousCredential, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { checkOptions, type OptionNames } from '../../arguments.ts'
import { checkPartBytes } from '../object-store/part-sizes.ts'

/** Any credential of `@azure/identity`: managed identity, client secret, whatever `DefaultAzureCredential` finds. */
export interface AzureTokenCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>
}

export interface AzureOptions {
  /** Name of the container. */
  readonly container: string
  /** A client of yours for that container. Then nothing else that concerns the connection is looked at. */
  readonly containerClient?: ContainerClient
  /** URL of the service. Default: `https://<accountName>.blob.core.windows.net`. */
  readonly endpoint?: string
  readonly accountName?: string
  /** Shared key of the account, base64. With it, blobs are redirected to by signed URLs. */
  readonly accountKey?: string
  /** `DefaultEndpointsProtocol=…;AccountName=…;AccountKey=…`, in place of the three above. */
  readonly connectionString?: string
  /** A shared access signature for the container: read, write, delete and list. */
  readonly sasToken?: string
  /** `new DefaultAzureCredential()`, `new ClientSecretCredential(…)`, … */
  readonly credential?: AzureTokenCredential
  /**
   * Bytes of the parts that uploads are cut into, to begin with: an upload holds up to three of them in memory. At least 5 MiB.
   * Default: 8 MiB. As Distribution's `chunksize`.
   */
  readonly partBytes?: number
  /** Everything lies below this prefix of the container. Default: none. As Distribution's `rootdirectory`. */
  readonly rootDirectory?: string
}

const AZURE_OPTIONS: OptionNames<AzureOptions> = {
  container: true,
  containerClient: true,
  endpoint: true,
  accountName: true,
  accountKey: true,
  connectionString: true,
  sasToken: true,
  credential: true,
  partBytes: true,
  rootDirectory: true,
}

const RETRIES = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 }

/** @throws TypeError */
export function checkAzureOptions(options: AzureOptions): void {
  checkOptions('azure()', options, AZURE_OPTIONS)
  checkPartBytes(options?.partBytes)
  if (typeof options?.container !== 'string' || options.container === '') {
    throw new TypeError("azure() needs a container: azure({ container: 'images', accountName: '…', accountKey: '…' })")
  }
  const { containerClient, connectionString, endpoint, accountName, accountKey } = options
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    throw new TypeError(
      `the option "endpoint" must be a URL such as https://account.blob.core.windows.net, not ${endpoint}`,
    )
  }
  if (containerClient !== undefined || connectionString !== undefined) return
  if (endpoint === undefined && accountName === undefined) {
    throw new TypeError('azure() needs to know the account: give "accountName", "endpoint" or "connectionString"')
  }
  if (accountKey !== undefined && accountName === undefined) {
    throw new TypeError('the option "accountKey" needs "accountName" beside it')
  }
}

/** Nothing is connected to before the first request. */
export function clientOf(options: AzureOptions): ContainerClient {
  const { container, connectionString, accountName, accountKey, sasToken, credential } = options
  const settings = { retryOptions: RETRIES }
  if (connectionString !== undefined) return new ContainerClient(connectionString, container, settings)
  const service = (options.endpoint ?? `https://${accountName}.blob.core.windows.net`).replace(/(?<!\/)\/+$/, '')
  const url = `${service}/${encodeURIComponent(container)}`
  if (accountName !== undefined && accountKey !== undefined) {
    return new ContainerClient(url, new StorageSharedKeyCredential(accountName, accountKey), settings)
  }
  if (sasToken !== undefined) {
    return new ContainerClient(`${url}?${sasToken.replace(/^\?/, '')}`, new AnonymousCredential(), settings)
  }
  return new ContainerClient(url, credential ?? new AnonymousCredential(), settings)
}
