import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/spec/digest.ts'
import { outcome, UUID } from './outcome.ts'

describe('headers of uploads', () => {
  it.each([
    ...[
      '-1',
      '+1',
      '1.0',
      '0x1',
      '1e1',
      ' 1',
      '1 ',
      '',
      'x',
      '1,1',
      '01',
      '9007199254740993',
      '99999999999999999999',
      'NaN',
    ],
  ])('announce a length in decimal digits: %j', async (length) => {
    const sending = { body: 'x', headers: { 'content-length': length } }
    const content = digestOf(Buffer.from('x'))
    expect(await outcome('POST', `/v2/a/blobs/uploads/?digest=${content}`, sending)).toEqual([400, 'SIZE_INVALID'])
    expect(await outcome('PATCH', `/v2/a/blobs/uploads/${UUID}`, sending)).toEqual([400, 'SIZE_INVALID'])
    expect(await outcome('PUT', '/v2/a/manifests/x', sending)).toEqual([400, 'SIZE_INVALID'])
  })
})
