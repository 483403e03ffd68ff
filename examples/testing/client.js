// @ts-check
// The client under test: it reads what a tag points to, logs in where it is asked to, and comes back when it is told to wait.

/**
 * @param {string} origin - of the registry: `https://registry.example`
 * @param {string} name - of the repository
 * @param {string} tag
 * @param {{ username?: string, password?: string, attempts?: number, sleep?: (ms: number) => Promise<unknown> }} [options]
 * @returns {Promise<{ digest: string | null, manifest: any }>}
 */
export async function readManifest(origin, name, tag, options = {}) {
  const { attempts = 3, sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) } = options
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' }
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${origin}/v2/${name}/manifests/${tag}`, { headers })
    if (response.ok) {
      return { digest: response.headers.get('docker-content-digest'), manifest: await response.json() }
    }
    await response.body?.cancel()
    if (attempt === attempts) throw new Error(`${name}:${tag} cannot be read: ${response.status}`)
    if (response.status === 401) {
      headers.authorization = await logIn(response.headers.get('www-authenticate') ?? '', options)
    } else if (response.status === 429 || response.status >= 500) {
      await sleep(Number(response.headers.get('retry-after') ?? 1) * 1000)
    } else {
      throw new Error(`${name}:${tag} cannot be read: ${response.status}`)
    }
  }
}

/**
 * @param {string} challenge - `Bearer realm="…",service="…",scope="…"`
 * @param {{ username?: string, password?: string }} options
 */
async function logIn(challenge, { username, password }) {
  const { realm = '', ...query } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
  )
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  /** @type {Record<string, string>} */
  const headers = username === undefined ? {} : { authorization: basic }
  const response = await fetch(`${realm}?${new URLSearchParams(query)}`, { headers })
  if (!response.ok) throw new Error('the registry does not know this name and password')
  const { token } = /** @type {{ token: string }} */ (await response.json())
  return `Bearer ${token}`
}
