/** A real object store that tests start for themselves, when it is installed. */
export interface TestServer<R extends RunningServer = RunningServer> {
  readonly name: string
  /** Which conditions it passes over, or looks at before it acts: of requests that race, more than one can win. */
  readonly tornConditions?: readonly ('put' | 'delete')[]
  /** The path of its executable; undefined when it is not installed. */
  find(): string | undefined
  /** Starts one of its own, empty, on a free port of 127.0.0.1. @throws with what it printed when it does not start */
  start(): Promise<R>
}

export interface RunningServer {
  /** `http://127.0.0.1:port`, for Azure with the account as its path; no slash at the end. */
  readonly endpoint: string
  /** What a process needs in its environment for its SDK to find the credentials. */
  readonly environment: Readonly<Record<string, string>>
  /** Where it keeps its data, removed by `stop`. */
  readonly directory: string
  /** Makes an empty bucket (Azure: a container) of a name that was never used, and returns the name. */
  createBucket(): Promise<string>
  /** All keys of a bucket, in byte order. */
  keys(bucket: string): Promise<string[]>
  /** Keys of uploads that were begun and neither completed nor aborted; empty where a store has no such thing. */
  unfinished(bucket: string): Promise<string[]>
  /** Ends it and removes its data; may be called again. */
  stop(): Promise<void>
}

/** Names of buckets that were never used, and are allowed by every store. */
export function bucketName(): string {
  return `test-${crypto.randomUUID()}`
}

export function inByteOrder(keys: readonly string[]): string[] {
  return keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
