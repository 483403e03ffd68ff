import type { Backend } from '../../backend.ts'
import type { Credentials } from '../../remote/credentials/credentials.ts'

/** How a registry is reached, where the location is one. */
export interface ConnectionOptions {
  readonly credentials?: Credentials
  readonly tlsVerify: boolean
  /** Absent: https, but http on a loopback address. */
  readonly protocol?: 'http' | 'https'
}

export interface OpenOptions extends ConnectionOptions {
  /** What is only read must be there; what is written to is made. */
  readonly role: 'source' | 'target'
  /** Nothing will be written: a target need not be there, and is not made either. */
  readonly dryRun?: boolean
}

/** A place for images that the command line names, opened. */
export interface OpenLocation {
  readonly backend: Backend
  /** Absent: all of them. */
  readonly repository?: string
  /** As it was given: a tag or a digest. */
  readonly reference?: string
  /** The registry's host, for names that keep it elsewhere: `docker.io`. */
  readonly host?: string
  /** What a registry's reference means where it names neither tag nor digest. Absent: there is no such thing. */
  readonly defaultReference?: string
  /** Makes what was written to be seen, where that is a step of its own: an archive. */
  finish?(signal?: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** A kind of location, by its prefix. */
export interface LocationKind {
  /** As the help has them. */
  readonly form: string
  readonly help: string
  /** @param rest - what follows the prefix and its colon */
  open(rest: string, options: OpenOptions): Promise<OpenLocation>
}
