import { networkOf } from '../../client-network.ts'

/** Whom a request is counted for: whoever it is from, and the network of anonymous ones. */
export function clientKey(subject: string | undefined, address: string | undefined): string {
  return subject === undefined ? `address ${networkOf(address)}` : `subject ${subject}`
}
