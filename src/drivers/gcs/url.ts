import { readParameters, readStorageUrl } from '../url-parameters.ts'
import type { GcsOptions } from './options.ts'

/**
 * The options in `gs://bucket/prefix?project=…&keyfile=…&endpoint=…`. Without a key file, credentials come from where the SDK
 * looks for them: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud, the metadata server.
 *
 * @throws TypeError for parameters that there are not, and values that make no sense
 */
export function parseGcsUrl(text: string): GcsOptions {
  const { url, container, rootDirectory } = readStorageUrl(text, 'gs')
  const parameters = readParameters<GcsOptions>(url, {
    project: (projectId) => ({ projectId }),
    keyfile: (keyFilename) => ({ keyFilename }),
    endpoint: (endpoint) => ({ endpoint }),
  })
  return { bucket: container, ...rootDirectory, ...parameters }
}
