import { checkAmount, checkOptions, type OptionNames } from '../arguments.ts'
import { type BackendOf, createHandler, HANDLER_OPTIONS, type HandlerOptions } from '../http/handler.ts'
import type { HttpHandler } from '../http/message.ts'
import type { AdapterOptions } from './node-request.ts'

export const ADAPTER_OPTIONS: OptionNames<AdapterOptions> = {
  logger: true,
  minUploadBytesPerSecond: true,
  minDownloadBytesPerSecond: true,
}

/** Options of `toExpressMiddleware()` and the like. @throws `TypeError` */
export function checkAdapterOptions(options: AdapterOptions): void {
  checkOptions('the mount', options, ADAPTER_OPTIONS)
  checkAmount('minUploadBytesPerSecond', options?.minUploadBytesPerSecond)
  checkAmount('minDownloadBytesPerSecond', options?.minDownloadBytesPerSecond)
}

/**
 * The handler and the options that `to…(handler, options)` takes, of the arguments of `registry…(registry, options)`.
 *
 * @param names - the options of `to…` that other mounts do not have
 * @throws `TypeError` for options that make no sense
 */
export function mounted<T extends AdapterOptions = AdapterOptions>(
  registry: BackendOf,
  options: HandlerOptions & T,
  names: OptionNames<Omit<T, keyof AdapterOptions>>,
): [handler: HttpHandler, options: T] {
  checkOptions<object>('the mount', options, { ...HANDLER_OPTIONS, ...ADAPTER_OPTIONS, ...names })
  const pick = (known: object) =>
    Object.fromEntries(Object.entries(options ?? {}).filter(([name]) => Object.hasOwn(known, name)))
  // Picked by name, which the compiler cannot follow.
  const handler = createHandler(registry, pick(HANDLER_OPTIONS) as unknown as HandlerOptions)
  return [handler, pick({ ...ADAPTER_OPTIONS, ...names }) as T]
}
