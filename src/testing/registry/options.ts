import { checkAmount, checkChoice, checkOptions, kindOf, type OptionNames } from '../../arguments.ts'
import type { Logger } from '../../logger.ts'
import type { Registry } from '../../registry.ts'
import type { Rights, Users } from './access.ts'
import { type ChunkRules, checkChunkRules } from './chunks.ts'
import type { Clock } from './clock.ts'
import type { FailureRule } from './failures.ts'
import type { RateLimit } from './rate-limit.ts'
import type { TokenOptions } from './tokens.ts'

/** How a registry behaves; what a well-known one does is written in these, too. */
export interface RegistryBehaviour {
  /** Who may log in, with which password. Default: where there is something to log in to, `{ user: 'password' }`. */
  readonly users?: Users
  /** How: by name and password on each request, or by tokens. Default: by password where there are `users`, else not at all. */
  readonly auth?: 'none' | 'basic' | 'token'
  /** Whether who has not logged in may pull. Default: no. */
  readonly anonymousPull?: boolean
  /** What users may do. Default: everything; others pull, where `anonymousPull` allows that. */
  readonly rights?: Rights
  /** With `auth: 'token'`. */
  readonly token?: TokenOptions
  readonly rateLimit?: RateLimit
  /** Whether it lists what refers to a manifest. Default: yes. */
  readonly referrers?: boolean
  /** Whether it deletes manifests, tags and blobs; otherwise 405. Default: yes. */
  readonly deletes?: boolean
  /** Whether it refuses to delete a manifest, by its digest, that has tags: 400. Default: no. */
  readonly keepsTagged?: boolean
  /** Whether it mounts blobs: always, never, or only those that a manifest names where they are. Otherwise 202. Default: yes. */
  readonly mounts?: boolean | 'referenced'
  /** Whether it lists repositories; otherwise 401, whoever asks. Default: yes. */
  readonly catalog?: boolean
  /** How blobs are sent in pieces; `false` is `{ patches: 'none' }`. Default: as the specification has it. */
  readonly chunks?: boolean | ChunkRules
  /** Whether uploads go on only at the very `Location` that was given, query and all. Default: no. */
  readonly uploadState?: boolean
  /**
   * Where images can be pushed to over HTTP, besides repositories that were pushed to in code; 404 otherwise.
   * Default: anywhere.
   */
  readonly repositories?: readonly string[]
  /** Whether a tag that exists can only be pushed again as it is; otherwise 400. Default: no. */
  readonly immutableTags?: boolean
  /** Entries of a page of tags, repositories or referrers, at most, and for who names no number. Default: 1000, and all tags. */
  readonly pageSize?: number
  /** How `Link` names the next page: by the last entry, or by a token (`next_page`). Default: last. */
  readonly pages?: 'last' | 'token'
  /** Whether `Location` and `Link` have the origin in them. Default: relative. */
  readonly urls?: 'relative' | 'absolute'
  /** Whether a list of tags has fields in it that the specification does not know. Default: no. */
  readonly tagDetails?: boolean
  /** Whether blobs are fetched from another origin: 307, and 400 for who sends credentials along. Default: no. */
  readonly blobRedirects?: boolean
}

/** Registries whose quirks are known; what each has, and where that is documented, is in {@link REGISTRY_QUIRKS}. */
export type WellKnownRegistry =
  | 'acr'
  | 'artifact-registry'
  | 'distribution'
  | 'docker-hub'
  | 'ecr'
  | 'gcr'
  | 'ghcr'
  | 'gitlab'
  | 'harbor'
  | 'quay'

export interface StartRegistryOptions extends RegistryBehaviour {
  /** A well-known registry, as far as its quirks are documented. What is said besides goes before. */
  readonly like?: WellKnownRegistry
  /** HTTPS, with a certificate authority made for it, and with `client` one that asks clients for a certificate. Default: HTTP. */
  readonly tls?: boolean | 'client'
  /** What goes wrong. Rules can be added later: `registry.fail(rule)`. */
  readonly fail?: readonly FailureRule[]
  /** Default: the system's; `manualClock()` is one that tests can turn. */
  readonly clock?: Clock
  /** Over one of yours, which is not closed by `stop()`. Default: a new one in memory. */
  readonly registry?: Registry
  /** Default: nothing is logged, as failures are asked for. */
  readonly logger?: Logger
}

const OPTIONS: OptionNames<StartRegistryOptions> = {
  like: true,
  tls: true,
  fail: true,
  clock: true,
  registry: true,
  logger: true,
  users: true,
  auth: true,
  anonymousPull: true,
  rights: true,
  token: true,
  rateLimit: true,
  referrers: true,
  deletes: true,
  keepsTagged: true,
  mounts: true,
  catalog: true,
  chunks: true,
  uploadState: true,
  repositories: true,
  immutableTags: true,
  pageSize: true,
  pages: true,
  urls: true,
  tagDetails: true,
  blobRedirects: true,
}

/** @throws `TypeError` */
export function checkStartOptions(options: StartRegistryOptions, known: readonly string[]): void {
  checkOptions('startRegistry()', options, OPTIONS)
  checkChoice('like', options.like, known)
  checkChoice('auth', options.auth, ['none', 'basic', 'token'])
  checkChoice('pages', options.pages, ['last', 'token'])
  checkChoice('urls', options.urls, ['relative', 'absolute'])
  checkAmount('pageSize', options.pageSize)
  checkUsers(options.users)
  if (options.token !== undefined) {
    checkOptions('the option "token"', options.token, {
      path: true,
      service: true,
      ttlSeconds: true,
      oauth2: true,
      challenge: true,
      acceptBasic: true,
      acceptEncodedPassword: true,
    })
    checkAmount('token.ttlSeconds', options.token.ttlSeconds)
    const left = ['without-scope', 'without-service', 'unquoted-service']
    checkChoice('token.challenge', options.token.challenge, left)
  }
  const { rateLimit, chunks, fail = [], repositories = [] } = options
  if (rateLimit !== undefined) {
    checkOptions('the option "rateLimit"', rateLimit, {
      requests: true,
      windowSeconds: true,
      of: true,
      retryAfter: true,
      headers: true,
    })
    checkAmount('rateLimit.requests', rateLimit.requests)
    checkChoice('rateLimit.of', rateLimit.of, ['all', 'pulls'])
  }
  if (typeof chunks === 'object') checkChunkRules(chunks)
  if (!Array.isArray(repositories)) {
    throw new TypeError(`the option "repositories" must be a list of names, not ${kindOf(repositories)}`)
  }
  if (!Array.isArray(fail)) throw new TypeError(`the option "fail" must be a list of rules, not ${kindOf(fail)}`)
}

function checkUsers(users: unknown): void {
  if (users === undefined) return
  const isTable = typeof users === 'object' && users !== null && !Array.isArray(users)
  if (isTable && Object.values(users).every((password) => typeof password === 'string')) return
  throw new TypeError(`the option "users" must be passwords by their users, { alice: 'secret' } say`)
}
