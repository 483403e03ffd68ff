/** The users of an htpasswd file. */
export interface HtpasswdFile {
  /** Hashes as bcrypt's package takes them, by user name. */
  readonly hashes: ReadonlyMap<string, string>
  /** The highest of their costs; that of `htpasswd -B` where there are none. */
  readonly maxCost: number
}

/** Hashing takes twice as long with each step: some four seconds at this one. */
const MAX_COST = 16
const DEFAULT_COST = 5

/**
 * Reads what `htpasswd -B` of Apache writes: a name, a colon and a bcrypt hash per line (`$2a$`, `$2b$`, `$2y$`); blank lines and lines
 * that begin with `#` are nothing.
 *
 * @throws `Error` naming the first line that is wrong, never its hash
 * @see https://httpd.apache.org/docs/2.4/misc/password_encryptions.html
 */
export function parseHtpasswd(text: string): HtpasswdFile {
  const hashes = new Map<string, string>()
  const lines = new Map<string, number>()
  let maxCost = 0
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const number = index + 1
    const colon = line.indexOf(':')
    if (colon <= 0) throw new Error(`line ${number}: expected NAME:HASH, as htpasswd -B writes it`)
    const name = line.slice(0, colon)
    const { cost, hash } = readHash(name, line.slice(colon + 1), number)
    const first = lines.get(name)
    if (first !== undefined) throw new Error(`line ${number}: ${JSON.stringify(name)} is in line ${first} already`)
    lines.set(name, number)
    hashes.set(name, hash)
    maxCost = Math.max(maxCost, cost)
  }
  return { hashes, maxCost: maxCost || DEFAULT_COST }
}

function readHash(name: string, text: string, line: number): { readonly cost: number; readonly hash: string } {
  const [, cost = '', rest = ''] = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{53})$/.exec(text) ?? []
  if (cost === '') {
    const what = /^\$2[aby]?\$/.test(text) ? 'a bcrypt hash that is not whole' : 'no bcrypt hash'
    throw new Error(`line ${line}: ${JSON.stringify(name)} has ${what}; make one with: htpasswd -B FILE ${name}`)
  }
  if (Number(cost) < 4 || Number(cost) > MAX_COST) {
    throw new Error(
      `line ${line}: ${JSON.stringify(name)} has cost ${cost}, expected 4 to ${MAX_COST}: htpasswd -B -C 10`,
    )
  }
  // The three differ in how old implementations erred, not in what they mean; the package knows the first two alone.
  return { cost: Number(cost), hash: `$2b$${cost}$${rest}` }
}
