import { describe, expect, it } from 'vitest'
import { parseS3Url } from '../../../src/drivers/s3/url.ts'

describe('parseS3Url', () => {
  it.each([
    ['s3://images', { bucket: 'images' }],
    ['s3://images/', { bucket: 'images' }],
    ['s3://images/some/where/', { bucket: 'images', rootDirectory: 'some/where' }],
    [
      's3://images/registry?endpoint=http://127.0.0.1:7070&region=us-east-1&path-style=true',
      {
        bucket: 'images',
        rootDirectory: 'registry',
        endpoint: 'http://127.0.0.1:7070',
        region: 'us-east-1',
        forcePathStyle: true,
      },
    ],
    [
      's3://images?server-side-encryption=aws:kms&kms-key-id=1234&storage-class=STANDARD_IA&part-bytes=16777216',
      {
        bucket: 'images',
        serverSideEncryption: 'aws:kms',
        kmsKeyId: '1234',
        storageClass: 'STANDARD_IA',
        partBytes: 16_777_216,
      },
    ],
  ])('reads %s', (url, options) => {
    expect(parseS3Url(url)).toEqual(options)
  })

  it.each([
    ['s3://', 'expected s3://NAME/PREFIX?…'],
    ['s3:images', 'expected s3://NAME/PREFIX?…'],
    ['s3://images#x', 'expected s3://NAME/PREFIX?…'],
    ['s3://key:secret@images', 'credentials do not belong in the URL'],
    ['s3://images?regoin=eu-west-1', 'no parameter "regoin": did you mean region?'],
    ['s3://images?region=a&region=b', 'the parameter "region" is given twice'],
    ['s3://images?region=', 'the parameter "region" is empty'],
    ['s3://images?path-style=yes', 'the parameter "path-style" must be true or false, not yes'],
    ['s3://images?storage-class=COLD', 'the parameter "storage-class" must be one of'],
  ])('refuses %s', (url, message) => {
    expect(() => parseS3Url(url)).toThrow(message)
  })
})
