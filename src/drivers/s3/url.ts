import { ObjectCannedACL, ServerSideEncryption, StorageClass } from '@aws-sdk/client-s3'
import { readBoolean, readChoice, readParameters, readStorageUrl } from '../url-parameters.ts'
import type { S3Options } from './options.ts'

/**
 * The options in `s3://bucket/prefix?region=…&endpoint=…`. Credentials come from where the SDK looks for them.
 *
 * @throws TypeError for parameters that there are not, and values that make no sense
 */
export function parseS3Url(text: string): S3Options {
  const { url, container, rootDirectory } = readStorageUrl(text, 's3')
  const parameters = readParameters<S3Options>(url, {
    region: (region) => ({ region }),
    endpoint: (endpoint) => ({ endpoint }),
    'public-endpoint': (publicEndpoint) => ({ publicEndpoint }),
    'path-style': (value, name) => ({ forcePathStyle: readBoolean(value, name) }),
    accelerate: (value, name) => ({ accelerate: readBoolean(value, name) }),
    'dual-stack': (value, name) => ({ dualStack: readBoolean(value, name) }),
    fips: (value, name) => ({ fips: readBoolean(value, name) }),
    'storage-class': (value, name) => ({ storageClass: readChoice(value, name, Object.values(StorageClass)) }),
    acl: (value, name) => ({ acl: readChoice(value, name, Object.values(ObjectCannedACL)) }),
    'server-side-encryption': (value, name) => ({
      serverSideEncryption: readChoice(value, name, Object.values(ServerSideEncryption)),
    }),
    'kms-key-id': (kmsKeyId) => ({ kmsKeyId }),
    checksums: (value, name) => ({ checksums: readChoice(value, name, ['WHEN_REQUIRED', 'WHEN_SUPPORTED']) }),
    'part-bytes': (value) => ({ partBytes: Number(value) }),
    'conditional-writes': (value, name) => ({ conditionalWrites: readBoolean(value, name) }),
  })
  return { bucket: container, ...rootDirectory, ...parameters }
}
