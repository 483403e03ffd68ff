import { azurite } from './azurite.ts'
import { fakeGCSServer } from './fake-gcs-server.ts'
import { moto } from './moto.ts'
import type { RunningS3 } from './s3.ts'
import type { TestServer } from './server.ts'
import { versitygw } from './versitygw.ts'

export { azurite, type RunningAzure } from './azurite.ts'
export { describeOn } from './describe-on.ts'
export { fakeGCSServer, type RunningGCS } from './fake-gcs-server.ts'
export { moto } from './moto.ts'
export { type RunningRedis, redis } from './redis.ts'
export type { RunningS3 } from './s3.ts'
export type { RunningServer, TestServer } from './server.ts'
export { versitygw } from './versitygw.ts'

/** What the S3 driver is tested on: two implementations, since each has holes of its own. */
export const S3_SERVERS: readonly TestServer<RunningS3>[] = [versitygw, moto]

export const ALL_SERVERS: readonly TestServer[] = [...S3_SERVERS, azurite, fakeGCSServer]
