import { describe, expect, it } from 'vitest'
import { parseAzureUrl } from '../../../src/drivers/azure/url.ts'

const KEY = { AZURE_STORAGE_ACCOUNT: 'ours', AZURE_STORAGE_KEY: 'c2VjcmV0' }

describe('parseAzureUrl', () => {
  it.each([
    ['azure://images', KEY, { container: 'images', accountName: 'ours', accountKey: 'c2VjcmV0' }],
    [
      'azure://images/some/where/?account=other&endpoint=http://127.0.0.1:10000',
      KEY,
      {
        ...{ container: 'images', rootDirectory: 'some/where', accountName: 'other', accountKey: 'c2VjcmV0' },
        endpoint: 'http://127.0.0.1:10000',
      },
    ],
    [
      'azure://images/registry',
      { AZURE_STORAGE_CONNECTION_STRING: 'AccountName=ours' },
      { container: 'images', rootDirectory: 'registry', connectionString: 'AccountName=ours' },
    ],
    [
      'azure://images?account=ours',
      { AZURE_STORAGE_SAS_TOKEN: 'sv=1' },
      { container: 'images', accountName: 'ours', sasToken: 'sv=1' },
    ],
  ])('reads %s', async (url, environment, options) => {
    expect(await parseAzureUrl(url, environment)).toEqual(options)
  })

  it('asks the identity of the machine where the environment has no credentials', async () => {
    const options = await parseAzureUrl('azure://images?account=ours', {})
    expect(options).toMatchObject({ container: 'images', accountName: 'ours' })
    expect(options).toHaveProperty('credential.getToken')
  })

  it.each([
    ['azure://', 'expected azure://NAME/PREFIX?…'],
    ['azure:images', 'expected azure://NAME/PREFIX?…'],
    ['azure://images#x', 'expected azure://NAME/PREFIX?…'],
    ['azure://key:secret@images', 'credentials do not belong in the URL'],
    ['azure://images?acount=ours', 'no parameter "acount": did you mean account?'],
    ['azure://images?endpoint=', 'the parameter "endpoint" is empty'],
    ['azure://images?account=a&account=b', 'the parameter "account" is given twice'],
  ])('refuses %s', async (url, message) => {
    await expect(parseAzureUrl(url, KEY)).rejects.toThrow(message)
  })
})
