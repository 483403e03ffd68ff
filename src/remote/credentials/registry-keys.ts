// What registries are called in the files and helpers that keep logins.
import { DOCKER_HUB } from '../../spec/reference.ts'

/** Docker Hub's key, kept from the first version of its protocol. */
export const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
const DOCKER_HUB_HOSTS: readonly string[] = [DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io']

/** Keys of a registry as today's clients write them: Docker's first. */
export function keysOf(registry: string): readonly [string, ...string[]] {
  return isDockerHub(registry) ? [DOCKER_HUB_KEY, ...DOCKER_HUB_HOSTS] : [registry]
}

/** Whether a key is for the whole of a registry, in whatever way it is written: a URL, with `/v1/` behind it, with the usual port. */
export function isKeyOf(key: string, registry: string): boolean {
  const host = hostOf(key)
  return host !== undefined && (isDockerHub(registry) ? isDockerHub(host) : host === hostOf(registry))
}

export function isDockerHub(host: string): boolean {
  return DOCKER_HUB_HOSTS.includes(host)
}

/** `undefined` for the key of a namespace: `quay.io/team`. */
function hostOf(key: string): string | undefined {
  const isUrl = /^https?:\/\//i.test(key)
  const text = isUrl ? key : `https://${key}`
  if (!URL.canParse(text)) return undefined
  const { host, pathname } = new URL(text)
  return isUrl || /^\/(v[12]\/?)?$/.test(pathname) ? host : undefined
}
