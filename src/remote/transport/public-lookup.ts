import { type LookupAddress, lookup as resolveName } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isPublicAddress } from './addresses.ts'

/** A host that a remote named and that leads somewhere it must not. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError'
  readonly code = 'ERR_FORBIDDEN_ADDRESS'

  /** @param address - that a resolver gave, where it is none itself */
  constructor(host: string, address?: string) {
    super(
      address === undefined ? `${host} is not public` : `${host} has the address ${address}, which is not a public one`,
    )
  }
}

/** All addresses of a name, as `node:dns` has it. */
export type ResolveName = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * A `lookup` for sockets that fails unless every address of the name is public. A socket connects to what its lookup gave, so a name
 * that resolves to something else a moment later gains nothing.
 *
 * @param resolve - Default: the system's resolver
 */
export function publicLookup(resolve: ResolveName = resolveName): LookupFunction {
  return (hostname, options, callback) => {
    const { all } = options
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const forbidden = addresses?.find(({ address }) => !isPublicAddress(address))
      const [first] = addresses ?? []
      if (error) callback(error, '')
      else if (forbidden) callback(new ForbiddenAddressError(hostname, forbidden.address), '')
      else if (first === undefined) callback(new Error(`${hostname} has no address`), '')
      else if (all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
