import type { ListOptions, OperationContext, SetTagOptions, Tags } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { Digest } from '../spec/digest.ts'
import { isTag, parseTag } from '../spec/name.ts'
import type { RegistryClient } from './client/registry-client.ts'
import { pageQuery, pages, stringsOf } from './pages.ts'
import { manifestPath, scope, tagsPath } from './paths.ts'
import type { RemoteManifests } from './remote-manifests.ts'
import { sortedPages } from './sorted-pages.ts'

/** Tags of one repository of a registry over HTTP. */
export class RemoteTags implements Tags {
  readonly #client: RegistryClient
  readonly #name: string
  readonly #manifests: RemoteManifests

  constructor(client: RegistryClient, name: string, manifests: RemoteManifests) {
    this.#client = client
    this.#name = name
    this.#manifests = manifests
  }

  async resolve(tag: string, context: OperationContext = {}): Promise<Digest> {
    return (await this.#manifests.stat(tag, context)).digest
  }

  async set(tag: string, target: Digest, options: SetTagOptions = {}): Promise<void> {
    parseTag(tag)
    const { descriptor, content } = await this.#manifests.get(target, options)
    await this.#manifests.put(content, { ...options, mediaType: descriptor.mediaType, tags: [tag] })
  }

  /** @throws {@link RegistryError} `UNSUPPORTED` where the registry deletes by digest alone: that would take other tags along */
  async delete(tag: string, context: OperationContext = {}): Promise<void> {
    await this.#client.call({
      method: 'DELETE',
      target: manifestPath(this.#name, parseTag(tag)),
      scopes: [scope(this.#name, 'delete', 'pull')],
      expect: [202, 200, 204],
      absent: 'MANIFEST_UNKNOWN',
      context,
    })
  }

  async *list(options: ListOptions = {}): AsyncGenerator<string> {
    yield* sortedPages(this.#read(options), options)
  }

  async *#read({ after, limit, signal }: ListOptions): AsyncGenerator<readonly string[]> {
    const request = {
      target: tagsPath(this.#name) + pageQuery(after !== undefined && isTag(after) ? after : undefined, limit),
      scopes: [scope(this.#name, 'pull')],
      absent: 'NAME_UNKNOWN',
      context: signal && { signal },
    } as const
    for await (const { content } of pages(this.#client, request)) {
      const tags = stringsOf(this.#client, content, 'tags')
      const wrong = tags.find((tag) => !isTag(tag))
      if (wrong === undefined) yield tags
      else throw noTag(this.#client.address.name)
    }
  }
}

function noTag(registry: string): RegistryError {
  return new RegistryError('UNAVAILABLE', { message: `${registry} lists tags that are none` })
}
