/**
 * What has broken other registries, and what this one is tested with therefore. Tests have the ids in their titles, or in that of the
 * group they stand in.
 */
export interface Advisory {
  readonly ids: readonly string[]
  /** What happened. */
  readonly story: string
  /** Files below `test/`; none where `notHere` says why. */
  readonly tests: readonly string[]
  readonly notHere?: string
}

const advisory = (ids: string, story: string, ...tests: readonly string[]): Advisory => ({
  ids: ids.split(' '),
  story,
  tests,
})

const notHere = (ids: string, story: string, reason: string): Advisory => ({
  ...advisory(ids, story),
  notHere: reason,
})

const CORE = 'advisories/core.test.ts'
const STORAGE = 'advisories/storage.test.ts'

export const ADVISORIES: readonly Advisory[] = [
  advisory('S01 CVE-2017-11468', 'Distribution read manifests of any size', CORE),
  advisory('S02 CVE-2023-2253', 'Distribution made room for as many entries as n says', CORE),
  advisory('S03 CVE-2025-24976', 'Distribution took the key that a token brought', 'auth/token/token-access.test.ts'),
  advisory(
    'P01 CVE-2026-33540',
    'credentials for any realm that an upstream names',
    'remote/url-rules/realm-binding.test.ts',
  ),
  advisory('S04 CVE-2026-35172', 'a cache brought back what was deleted', 'storage/descriptor-cache.test.ts'),
  advisory('S05 CVE-2026-41888', 'a switch that one route did not look at', CORE),
  advisory(
    'S06 CVE-2021-41190 GHSA-qq97-vm5h-rrhg GHSA-mc8v-mgrf-8f4m GHSA-77vh-xpmg-72qh',
    'one document that is an image to one client and an index to another',
    CORE,
  ),
  notHere('CVE-2020-27534', 'temporary names of Docker’s builder', 'it is about a builder, and not about manifests'),
  advisory('S07', 'unknown users cost less than known ones', 'auth/basic/htpasswd.test.ts'),
  advisory('R-ORPH', 'uploads that were given up stayed for ever', 'http/limits/open-uploads.test.ts'),
  notHere('R-CACHE', 'what was collected could not be pushed again', 'nothing is collected yet'),
  advisory('R-ZERO', 'empty files after an interruption', STORAGE),
  advisory('R-HEAL', 'a cut blob was never mended by a push', STORAGE),
  advisory('A01 CVE-2024-39897', 'a mount, or a HEAD, gave away what was elsewhere', 'http/endpoints/mount.test.ts'),
  advisory('A02', 'the same, by looking for it', CORE),
  advisory('A03 CVE-2026-31801', 'whoever could create could overwrite “latest”', CORE),
  advisory('A04', 'a push by digest moved tags unasked', CORE),
  advisory('A05 GHSA-qg67-7m6v-qg25', 'a token to push could delete', 'auth/issuer/token-issuer.test.ts'),
  advisory('A06 CVE-2025-23208', 'groups were only ever added', 'auth/issuer/token-issuer.test.ts'),
  advisory('S08 GHSA-c37v-3c8w-crq8', 'secrets in logs', 'advisories/secrets.test.ts'),
  advisory('A07 CVE-2026-27771 CVE-2020-29662', 'routes that asked nobody', 'auth/matrix/matrix.test.ts'),
  advisory('A08 CVE-2025-68944', 'a token for more than was asked or allowed', 'auth/issuer/token-issuer.test.ts'),
  advisory('A09 CVE-2026-32589', 'an upload’s id was all that it took', 'http/limits/upload-principal.test.ts'),
  advisory('S09', 'stored state that runs when it is read', STORAGE),
  advisory(
    'P02 CVE-2026-32591 CVE-2026-44492',
    'requests to private addresses, by whatever spelling',
    'remote/url-rules/addresses.test.ts',
  ),
  advisory(
    'CVE-2026-2376',
    'a name that resolves to another address the second time',
    'remote/url-rules/rebinding.test.ts',
  ),
  advisory('A10 CVE-2022-31667 CVE-2024-22278', 'ids looked up where the URL does not say', CORE),
  advisory('S10 CVE-2019-16097', 'fields of a document that become fields of ours', CORE),
  advisory('S11 CVE-2026-4404', 'a password that everybody knows', CORE),
  notHere('W01 CVE-2020-13788', 'webhooks to private addresses', 'there are no webhooks yet'),
  advisory('S12', 'headers of the storage in answers', CORE),
  advisory('S13 CVE-2024-4956', 'paths that lead out', 'http/bad-input/paths.test.ts'),
  advisory('S14 CVE-2026-13323', 'content that a browser runs', CORE),
  advisory('S15 CVE-2026-50163', 'links in archives that are extracted', STORAGE),
  advisory('P03 CVE-2025-21620', 'credentials that follow a redirect', 'remote/url-rules/redirects.test.ts'),
  advisory('P04 CVE-2020-15157', 'urls of descriptors, called with credentials', 'remote/url-rules/redirects.test.ts'),
  advisory('P05', 'each URL that a remote can name', 'remote/url-rules/named-urls.test.ts'),
  advisory('CVE-2026-12566', 'a realm that merely looks related', 'remote/url-rules/realm-binding.test.ts'),
  advisory('P06', 'answers without end', 'remote/url-rules/bounded-bodies.test.ts'),
  advisory('P07', 'one fetch for each who pulls', 'decorators/pull-through/blobs.test.ts'),
  advisory('N01', 'keys that Go reads and JavaScript does not', CORE),
  advisory('N02', 'a key __proto__', CORE),
  advisory('N03', 'nesting without end', CORE),
  advisory('N04', 'numbers that are none', CORE),
  advisory('N05 GHSA-pj86-cfqh-vqx6', 'parameters that become arrays', CORE),
  advisory('N06', 'paths in other spellings', 'http/bad-input/paths.test.ts'),
  advisory('N07', 'bodies that a parser has read', 'adapters/parsers.test.ts'),
  advisory('N08', 'answers that middleware compresses', CORE),
  advisory('N09', 'a HEAD that opens the blob', CORE),
  advisory('N10', 'a Location of the client’s making', CORE),
  advisory('N11', 'line breaks in media types', CORE),
  advisory('N12', 'requests that two servers read in two ways', 'http/bad-input/sockets.test.ts'),
  advisory('N13', 'refusals that do not arrive', 'adapters/node.test.ts'),
  advisory('N14', 'hashing that holds everything up', 'auth/basic/htpasswd.test.ts'),
  advisory('N15', 'errors of streams that nobody hears', CORE),
  advisory('N16', 'keys fetched for each unknown id', 'auth/token/keys.test.ts'),
  notHere(
    'CVE-2026-1525',
    'a request with two lengths',
    'headers are plain objects with names in lower case, of which there is one',
  ),
]
