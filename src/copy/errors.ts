import { RegistryError } from '../errors.ts'
import type { Digest } from '../spec/digest.ts'

/** The same error, saying what it happened to: `blob sha256:… of team/app:v1`. */
export function about(what: string, detail: Readonly<Record<string, unknown>>, error: unknown): unknown {
  if (error instanceof TypeError) return error // a mistake in a program, with its stack
  if (!RegistryError.is(error)) {
    const reason = error instanceof Error ? error.message : String(error)
    return new RegistryError(isDropped(error) ? 'UNAVAILABLE' : 'UNKNOWN', {
      message: `${what}: ${reason}`,
      detail,
      cause: error,
    })
  }
  const inner = error.detail instanceof Object && !Array.isArray(error.detail) ? error.detail : {}
  return new RegistryError(error.code, {
    status: error.status,
    message: `${what}: ${error.message}`,
    detail: { ...inner, ...detail },
    headers: error.headers,
    cause: error,
  })
}

export function aboutBlob(digest: Digest, image: string, error: unknown): unknown {
  return about(`blob ${digest} of ${image}`, { digest, image }, error)
}

export function aboutManifest(digest: Digest, image: string, error: unknown): unknown {
  return about(`manifest ${digest} of ${image}`, { digest, image }, error)
}

/** Whether a connection or stream ended too early, by what Node throws then. */
export function isDropped(error: unknown): boolean {
  if (!(error instanceof Error) || RegistryError.is(error)) return false
  if ('code' in error && typeof error.code === 'string') {
    return /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ERR_STREAM_|ERR_HTTP2_|UND_ERR_|HPE_)/.test(
      error.code,
    )
  }
  return /aborted|closed before|premature|socket hang up|terminated/i.test(error.message)
}
