import { readParameters, readStorageUrl } from '../url-parameters.ts'
import type { AzureOptions } from './options.ts'

/**
 * The options in `azure://container/prefix?account=…&endpoint=…`. Credentials come from `AZURE_STORAGE_CONNECTION_STRING`,
 * `AZURE_STORAGE_KEY` (with `AZURE_STORAGE_ACCOUNT`) or `AZURE_STORAGE_SAS_TOKEN`, the names that the `az` command
 * has; else from whatever `DefaultAzureCredential` of `@azure/identity` finds.
 *
 * @throws TypeError for parameters that there are not, and values that make no sense
 */
export async function parseAzureUrl(text: string, environment: NodeJS.ProcessEnv = process.env): Promise<AzureOptions> {
  const { url, container, rootDirectory } = readStorageUrl(text, 'azure')
  const parameters = readParameters<AzureOptions>(url, {
    account: (accountName) => ({ accountName }),
    endpoint: (endpoint) => ({ endpoint }),
  })
  const {
    AZURE_STORAGE_CONNECTION_STRING: connectionString,
    AZURE_STORAGE_ACCOUNT: account,
    AZURE_STORAGE_KEY: accountKey,
    AZURE_STORAGE_SAS_TOKEN: sasToken,
  } = environment
  const place = { container, ...rootDirectory, ...(account && { accountName: account }), ...parameters }
  if (accountKey) return { ...place, accountKey }
  if (connectionString) return { container, ...rootDirectory, connectionString }
  if (sasToken) return { ...place, sasToken }
  const { DefaultAzureCredential } = await import('@azure/identity')
  return { ...place, credential: new DefaultAzureCredential() }
}
