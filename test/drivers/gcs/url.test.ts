import { describe, expect, it } from 'vitest'
import { parseGcsUrl } from '../../../src/drivers/gcs/url.ts'

describe('parseGcsUrl', () => {
  it.each([
    ['gs://images', { bucket: 'images' }],
    ['gs://images/some/where/', { bucket: 'images', rootDirectory: 'some/where' }],
    [
      'gs://images/registry?project=ours&keyfile=/etc/key.json&endpoint=http://127.0.0.1:4443',
      {
        ...{ bucket: 'images', rootDirectory: 'registry', projectId: 'ours' },
        ...{ keyFilename: '/etc/key.json', endpoint: 'http://127.0.0.1:4443' },
      },
    ],
  ])('reads %s', (url, options) => {
    expect(parseGcsUrl(url)).toEqual(options)
  })

  it.each([
    ['gs://', 'expected gs://NAME/PREFIX?…'],
    ['gcs://images', 'expected gs://NAME/PREFIX?…'],
    ['gs://images#x', 'expected gs://NAME/PREFIX?…'],
    ['gs://key:secret@images', 'credentials do not belong in the URL'],
    ['gs://images?projct=ours', 'no parameter "projct": did you mean project?'],
    ['gs://images?keyfile=', 'the parameter "keyfile" is empty'],
    ['gs://images?project=a&project=b', 'the parameter "project" is given twice'],
  ])('refuses %s', (url, message) => {
    expect(() => parseGcsUrl(url)).toThrow(message)
  })
})
