// What well-known registries do in their own way. Each quirk is a few options of `startRegistry`, and says where it is
// documented; what is only said to be so is not here. Registries change: the addresses tell as of when.
import type { RegistryBehaviour, WellKnownRegistry } from './options.ts'

export interface Quirk {
  readonly name: string
  /** What a client meets. */
  readonly about: string
  /** Addresses of documentation, or of reports by people who met it. */
  readonly documented: readonly string[]
  readonly behaviour: RegistryBehaviour
}

const MIB = 1024 * 1024

const ANONYMOUS_TOKENS: Quirk = {
  name: 'anonymous tokens',
  about: 'public images, too, are pulled with a token, which is given to anybody',
  documented: [
    'https://distribution.github.io/distribution/spec/auth/jwt/',
    'https://github.com/koki-develop/docker-tags/issues/81',
  ],
  behaviour: { auth: 'token', anonymousPull: true },
}

const MONOLITHIC: Quirk = {
  name: 'no chunks',
  about: 'a blob is sent whole: chunks with a Content-Range are refused',
  documented: [
    'https://cloud.google.com/artifact-registry/docs/reference/docker-api',
    'https://github.com/dotnet/sdk-container-builds/pull/287',
    'https://github.com/kitops-ml/kitops/issues/777',
  ],
  behaviour: { chunks: { patches: 'single' } },
}

const GOOGLE: readonly Quirk[] = [
  MONOLITHIC,
  {
    name: 'tagged manifests stay',
    about: 'a manifest is not deleted by its digest while it has tags: 400 GOOGLE_MANIFEST_DANGLING_TAG',
    documented: [
      'https://github.com/genuinetools/reg/issues/136',
      'https://github.com/GoogleCloudPlatform/docker-credential-gcr/issues/73',
    ],
    behaviour: { keepsTagged: true },
  },
  {
    name: 'tags with details',
    about: 'a list of tags has the fields child and manifest as well',
    documented: ['https://github.com/kubernetes-sigs/promo-tools/issues/7'],
    behaviour: { tagDetails: true },
  },
]

/** The quirks of each well-known registry; later ones go before earlier ones. */
export const REGISTRY_QUIRKS: Readonly<Record<WellKnownRegistry, readonly Quirk[]>> = {
  acr: [
    {
      name: 'token path',
      about: 'tokens come from /oauth2/token, also for a refresh token in place of a password',
      documented: [
        'https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md',
        'https://github.com/google/go-containerregistry/issues/421',
      ],
      behaviour: { auth: 'token', token: { path: '/oauth2/token' } },
    },
    {
      name: 'blobs by redirect',
      about: 'blobs are in a storage account, which answers 400 to who sends the registry its token along',
      documented: ['https://github.com/Azure/acr/issues/217'],
      behaviour: { blobRedirects: true },
    },
  ],
  'artifact-registry': [
    ...GOOGLE,
    {
      name: 'challenge without a service',
      about: 'the challenge names a realm and no service',
      documented: ['https://github.com/nicholas-fedor/watchtower/pull/1895'],
      behaviour: { auth: 'token', token: { path: '/v2/token', challenge: 'without-service' } },
    },
  ],
  distribution: [
    {
      name: 'no referrers',
      about: 'there is no list of referrers: 404, and clients keep one in a tag',
      documented: [
        'https://github.com/distribution/distribution/issues/3716',
        'https://github.com/google/go-containerregistry/issues/1647',
      ],
      behaviour: { referrers: false },
    },
    {
      name: 'deletes are off',
      about: 'nothing is deleted unless it is configured so: 405 UNSUPPORTED',
      documented: [
        'https://distribution.github.io/distribution/about/configuration/#delete',
        'https://github.com/distribution/distribution/issues/1222',
      ],
      behaviour: { deletes: false },
    },
    {
      name: 'upload state',
      about: 'Location has a state in its query, without which an upload does not go on',
      documented: ['https://github.com/distribution/distribution/blob/v3.0.0/registry/handlers/blobupload.go'],
      behaviour: { uploadState: true },
    },
    {
      name: 'absolute URLs',
      about: 'Location has the origin in it, unless it is configured otherwise',
      documented: ['https://distribution.github.io/distribution/about/configuration/#http'],
      behaviour: { urls: 'absolute' },
    },
  ],
  'docker-hub': [
    ANONYMOUS_TOKENS,
    {
      name: 'pull limit',
      about:
        'GETs of manifests are counted, 100 in six hours without a login; headers tell how many are left, also on HEAD',
      documented: ['https://docs.docker.com/docker-hub/usage/pulls/', 'https://github.com/docker/docs/pull/20788'],
      behaviour: {
        rateLimit: { requests: 100, windowSeconds: 6 * 60 * 60, of: 'pulls', retryAfter: false, headers: true },
      },
    },
    {
      name: 'no catalog',
      about: 'repositories are not listed, whoever asks: 401',
      documented: [
        'https://github.com/genuinetools/reg/issues/86',
        'https://github.com/regclient/regclient/issues/539',
      ],
      behaviour: { catalog: false },
    },
    {
      name: 'blobs by redirect',
      about: 'blobs come from a CDN: 307',
      documented: ['https://github.com/opencontainers/distribution-spec/issues/299'],
      behaviour: { blobRedirects: true },
    },
    {
      name: 'service name',
      about: 'the token service knows the registry as registry.docker.io',
      documented: ['https://distribution.github.io/distribution/spec/auth/jwt/'],
      behaviour: { token: { service: 'registry.docker.io' } },
    },
  ],
  ecr: [
    {
      name: 'password of AWS',
      about: 'no tokens: the user AWS with a password that is good for twelve hours',
      documented: ['https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html'],
      behaviour: { auth: 'basic', users: { AWS: 'password' } },
    },
    {
      name: 'repositories are made first',
      about: 'what is pushed to a repository that was not made before is refused: 404 NAME_UNKNOWN',
      documented: [
        'https://github.com/regclient/regclient/issues/869',
        'https://github.com/aws/containers-roadmap/issues/853',
      ],
      behaviour: { repositories: [] },
    },
    {
      name: 'chunks of its own',
      about: 'PATCH is answered with 201, Range stays where the first chunk ended, and chunks have at least 5 MiB',
      documented: [
        'https://github.com/aws/containers-roadmap/issues/2831',
        'https://github.com/dotnet/sdk-container-builds/pull/279',
        'https://github.com/dotnet/sdk-container-builds/issues/424',
      ],
      behaviour: { chunks: { status: 201, staleRange: true, minBytes: 5 * MIB, announced: false } },
    },
    {
      name: 'mounts of what is referenced',
      about: 'a blob that no manifest names is not mounted: 202',
      documented: ['https://github.com/aws/containers-roadmap/issues/2860'],
      behaviour: { mounts: 'referenced' },
    },
    {
      name: 'pages of tags',
      about: 'a page has at most 100 tags, however many are asked for; a Link leads to the next',
      documented: ['https://github.com/docker-archive/migrator/issues/96'],
      behaviour: { pageSize: 100 },
    },
  ],
  gcr: [
    ...GOOGLE,
    {
      name: 'unquoted service',
      about: 'the service in the challenge has no quotes round it',
      documented: ['https://github.com/cloudflare/serverless-registry/pull/122'],
      behaviour: { auth: 'token', anonymousPull: true, token: { path: '/v2/token', challenge: 'unquoted-service' } },
    },
  ],
  ghcr: [
    ANONYMOUS_TOKENS,
    {
      name: 'encoded password',
      about: 'a personal access token in base64 is as good as a token of the service',
      documented: [
        'https://github.com/ubclaunchpad/inertia/issues/718',
        'https://github.com/argoproj-labs/argocd-image-updater/issues/303',
      ],
      behaviour: { token: { acceptEncodedPassword: true } },
    },
    {
      name: 'small chunks',
      about: 'what comes with a Content-Range has at most 4 MiB: 416 REQUESTED_RANGE_NOT_SATISFIABLE',
      documented: ['https://github.com/wasmCloud/wash-archive/issues/268', 'https://github.com/ocx-sh/ocx/pull/237'],
      behaviour: { chunks: { maxBytes: 4 * MIB } },
    },
    {
      name: 'no deletes',
      about: 'nothing is deleted: 405 UNSUPPORTED',
      documented: ['https://github.com/podman-container-tools/skopeo/issues/1880'],
      behaviour: { deletes: false },
    },
    {
      name: 'no referrers',
      about: 'there is no list of referrers, and no OCI-Subject',
      documented: [
        'https://github.com/actions/attest-build-provenance/issues/71',
        'https://github.com/dataaxiom/ghcr-cleanup-action/issues/13',
        'https://github.com/rtvkiz/minimal/issues/7',
      ],
      behaviour: { referrers: false },
    },
  ],
  gitlab: [
    {
      name: 'token path',
      about: 'tokens come from /jwt/auth, for the service container_registry',
      documented: ['https://github.com/n0madic/gitlab-registry-images-cleaner/issues/13'],
      behaviour: { auth: 'token', token: { path: '/jwt/auth', service: 'container_registry' } },
    },
    {
      name: 'no catalog',
      about: 'repositories are not listed, whoever asks: 401',
      documented: [
        'https://github.com/portainer/portainer/issues/2956',
        'https://github.com/Joxit/docker-registry-ui/issues/443',
      ],
      behaviour: { catalog: false },
    },
  ],
  harbor: [
    {
      name: 'token path',
      about: 'tokens come from /service/token, for the service harbor-registry',
      documented: [
        'https://github.com/goharbor/harbor/issues/7898',
        'https://github.com/google/go-containerregistry/issues/1493',
      ],
      behaviour: { auth: 'token', token: { path: '/service/token', service: 'harbor-registry' } },
    },
    {
      name: 'passwords as well',
      about: 'a name and a password are taken in place of a token',
      documented: ['https://github.com/goharbor/harbor/issues/13573'],
      behaviour: { token: { acceptBasic: true } },
    },
  ],
  quay: [
    {
      name: 'token path',
      about: 'tokens come from /v2/auth',
      documented: ['https://github.com/quay/claircore/pull/879', 'https://github.com/quay/mirror-registry/issues/71'],
      behaviour: { auth: 'token', anonymousPull: true, token: { path: '/v2/auth' } },
    },
    {
      name: 'pages of tags',
      about: 'a page has at most 100 tags, without being asked; a Link leads to the next',
      documented: [
        'https://github.com/deitch/docker_registry2/issues/106',
        'https://github.com/regclient/regclient/issues/272',
      ],
      behaviour: { pageSize: 100 },
    },
  ],
}

/** One behaviour out of several: the options of tokens and of chunks come together, of all others the last one counts. */
export function combined(behaviours: readonly RegistryBehaviour[]): RegistryBehaviour {
  const sum: { -readonly [K in keyof RegistryBehaviour]: RegistryBehaviour[K] } = {}
  for (const each of behaviours) {
    const token = { ...sum.token, ...each.token }
    const chunks = typeof sum.chunks === 'object' &&
      typeof each.chunks === 'object' && { ...sum.chunks, ...each.chunks }
    Object.assign(sum, each, Object.keys(token).length > 0 && { token }, chunks && { chunks })
  }
  return sum
}
