import type { DescriptorCache } from './descriptor-cache.ts'

/** Whatever sends a command: `redis`, `ioredis`, `@valkey/valkey-glide`. Nothing else of them is used. */
export type RedisClient =
  | { sendCommand(command: readonly string[]): Promise<unknown> }
  | { call(command: string, ...args: string[]): Promise<unknown> }
  | { customCommand(command: string[]): Promise<unknown> }

export interface RedisCacheOptions {
  /** In front of every key. Default: `wharfage:`. */
  readonly prefix?: string
}

/**
 * A {@link DescriptorCache} in Redis or Valkey, for nodes that share a bucket. The client stays yours: connected, and closed, by
 * you. What it does not answer within a moment is asked of the storage.
 *
 * @example
 * const client = await createClient({ url: 'redis://cache.internal' }).connect()
 * const registry = new Registry({ storage, cache: redisCache(client) })
 *
 * @throws `TypeError` for what is no such client
 */
export function redisCache(client: RedisClient, { prefix = 'wharfage:' }: RedisCacheOptions = {}): DescriptorCache {
  const send = senderOf(client)
  return {
    get: async (key) => {
      const value = await send('GET', prefix + key)
      return typeof value === 'string' ? value : undefined
    },
    set: async (key, value, { ttlMs }) => {
      await send('SET', prefix + key, value, 'PX', String(Math.max(1, Math.floor(ttlMs))))
    },
    delete: async (key) => {
      await send('DEL', prefix + key)
    },
  }
}

function senderOf(client: RedisClient): (command: string, ...args: string[]) => Promise<unknown> {
  // ioredis has a `sendCommand`, too, which wants something else.
  if ('call' in client && typeof client.call === 'function') return (...command) => client.call(...command)
  if ('sendCommand' in client && typeof client.sendCommand === 'function') {
    return (...command) => client.sendCommand(command)
  }
  if ('customCommand' in client && typeof client.customCommand === 'function') {
    return (...command) => client.customCommand(command)
  }
  throw new TypeError('redisCache() takes a client of redis, ioredis or @valkey/valkey-glide')
}
