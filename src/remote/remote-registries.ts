import { RemoteBackend, type RemoteOptions } from './remote-backend.ts'

/** Registries by the host that references name: one client of each, made when it is first asked for. */
export interface RemoteRegistries extends AsyncDisposable {
  /** For whoever resolves references: `pull('alpine', { resolve: registries.of })`. @throws `TypeError` */
  readonly of: (host: string) => RemoteBackend
  /** Ends the connections of all. */
  close(): Promise<void>
}

/** @param options - for every registry, or for each by its host */
export function remoteRegistries(options: RemoteOptions | ((host: string) => RemoteOptions) = {}): RemoteRegistries {
  const opened = new Map<string, RemoteBackend>()
  const close = async () => {
    for (const registry of opened.values()) await registry.close()
    opened.clear()
  }
  return {
    of: (host) => {
      const known = opened.get(host)
      if (known !== undefined) return known
      const registry = new RemoteBackend(host, typeof options === 'function' ? options(host) : options)
      opened.set(host, registry)
      return registry
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
