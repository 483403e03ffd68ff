/** A target as the client sent it, and the part of its path below which `/v2/` lies. */
export interface Mount {
  readonly url: string
  readonly mountPath: string
}

/**
 * Where the registry is mounted, told from what frameworks cut off the target on the way to us. A mount at `/v2` itself,
 * as in `app.use('/v2', …)`, is one at the root.
 *
 * @param inner - the target as it reached us
 * @param outer - the target as the client sent it
 * @param base - the prefix cut off, where the framework says so
 */
export function locate(inner: string, outer: string = inner, base = ''): Mount {
  let mountPath = base
  let url = outer
  if (outer === inner) {
    // A proxy's absolute-form target, which servers must accept (RFC 9112, 3.2.2).
    if (!inner.startsWith('/')) url = inner.replace(/^https?:\/\/[^/?#]*/i, '')
  } else if (outer.endsWith(inner)) mountPath = outer.slice(0, -inner.length)
  // Somebody rewrote the target: what they made of it counts.
  else url = base + inner
  return { url, mountPath: mountPath.endsWith('/v2') ? mountPath.slice(0, -3) : mountPath }
}

/** As much of `url` as a route's pattern has before `/v2` and its wildcard: `/t/:tenant/v2/*` over `/t/a/v2/x` gives `/t/a`. */
export function matchedPrefix(pattern: string, url: string): string {
  const fixed = pattern.replace(/\/?\*$/, '').replace(/\/v2$/, '')
  let end = 0
  for (const char of fixed) if (char === '/') end = Math.max(end, url.indexOf('/', end) + 1)
  if (end === 0) return ''
  const next = url.indexOf('/', end)
  return next === -1 ? url : url.slice(0, next)
}
