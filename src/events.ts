import type { OperationContext } from './backend.ts'
import type { Descriptor } from './spec/descriptor.ts'
import type { Digest } from './spec/digest.ts'

/** What every event tells. */
export interface EventBase {
  /** Unique per event; for deduplication. */
  readonly id: string
  readonly at: Date
  readonly repository: string
  /** Who did it, as established by an access controller. */
  readonly actor?: string
  readonly requestId?: string
  /** Of the HTTP request that caused it; absent for programmatic calls. */
  readonly request?: OperationContext['request']
}

/**
 * Everything a registry tells of, after the fact. `type` is also the name to listen for on `Registry`; each has its own member,
 * or `Extract` would not find it.
 */
export type RegistryEvent =
  | (EventBase & { readonly type: 'blob.pushed'; readonly blob: Descriptor })
  | (EventBase & { readonly type: 'blob.pulled'; readonly blob: Descriptor })
  | (EventBase & { readonly type: 'blob.mounted'; readonly blob: Descriptor; readonly from?: string })
  | (EventBase & { readonly type: 'blob.deleted'; readonly digest: Digest })
  | (EventBase & { readonly type: 'manifest.pushed'; readonly manifest: Descriptor; readonly tags: readonly string[] })
  | (EventBase & { readonly type: 'manifest.pulled'; readonly manifest: Descriptor; readonly tag?: string })
  | (EventBase & { readonly type: 'manifest.deleted'; readonly digest: Digest; readonly tags: readonly string[] })
  | (EventBase & { readonly type: 'repository.deleted' })
  | (EventBase & { readonly type: 'tag.set'; readonly tag: string; readonly digest: Digest })
  | (EventBase & { readonly type: 'tag.deleted'; readonly tag: string })

/** Told afterwards; whatever it throws is logged and never fails the operation. A durable outbox is not a sink: it is awaited before the answer. */
export type EventSink = (event: RegistryEvent) => void | Promise<void>

/** Event name → listener, as `eventemitter3` wants it. */
export type RegistryEventMap = {
  [T in RegistryEvent['type']]: (event: Extract<RegistryEvent, { readonly type: T }>) => void | Promise<void>
}
