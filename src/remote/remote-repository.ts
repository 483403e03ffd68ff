import type { OperationContext, Repository } from '../backend.ts'
import { RegistryError } from '../errors.ts'
import type { RegistryClient } from './client/registry-client.ts'
import { scope } from './paths.ts'
import { RemoteBlobs, type RemoteBlobsOptions } from './remote-blobs.ts'
import { RemoteManifests } from './remote-manifests.ts'
import { RemoteReferrers } from './remote-referrers.ts'
import { RemoteTags } from './remote-tags.ts'

/** One repository of a registry over HTTP. */
export class RemoteRepository implements Repository {
  readonly name: string
  readonly blobs: RemoteBlobs
  readonly manifests: RemoteManifests
  readonly tags: RemoteTags
  readonly #client: RegistryClient

  /** @param name - a repository name, checked */
  constructor(client: RegistryClient, name: string, options: RemoteBlobsOptions) {
    this.name = name
    this.#client = client
    this.blobs = new RemoteBlobs(client, name, options)
    this.manifests = new RemoteManifests(client, name, (manifests) => new RemoteReferrers(client, name, manifests))
    this.tags = new RemoteTags(client, name, this.manifests)
  }

  /**
   * By a route that is this project's own.
   *
   * @throws {@link RegistryError} `UNSUPPORTED` from any other registry: the specification has no such request
   */
  async delete(context: OperationContext = {}): Promise<void> {
    const target = `/v2/${this.name}/_wharfage/repository`
    const scopes = [scope(this.name, 'delete', 'pull')]
    try {
      await this.#client.call({ method: 'DELETE', target, scopes, expect: [202], absent: 'NAME_UNKNOWN', context })
    } catch (error) {
      // Another registry's 404 is about the route: only one that has this repository can be asked to delete it.
      if (!RegistryError.is(error, 'NAME_UNKNOWN') || !(await this.#exists(context))) throw error
      throw new RegistryError('UNSUPPORTED', {
        message: `${this.#client.address.name} deletes no repositories`,
        cause: error,
      })
    }
  }

  async #exists(context: OperationContext): Promise<boolean> {
    try {
      for await (const _ of this.tags.list({ ...context, limit: 1 })) break
      return true
    } catch (error) {
      if (RegistryError.is(error, 'NAME_UNKNOWN')) return false
      throw error
    }
  }
}
