import type { TLSSocket } from 'node:tls'
import { checkChoice, checkOptions } from '../arguments.ts'
import type { HttpRequest } from '../http/message.ts'
import type { Authenticate, Identity } from './identity.ts'

export interface ClientCertificateOptions {
  /**
   * Where the subject stands: the common name (of several, the last, as with Kubernetes: `CN=Users, CN=alice` is alice), or the first
   * alternative name of a kind. Default: `cn`.
   */
  readonly subject?: 'cn' | 'dns' | 'email' | 'uri'
}

/** What of a certificate is looked at. */
interface PeerCertificate {
  readonly subject?: { readonly CN?: string | string[]; readonly OU?: string | string[] }
  /** `DNS:a.example, URI:spiffe://a/b`; what is odd stands in quotes. */
  readonly subjectaltname?: string
  /** `Nov 26 18:57:36 2027 GMT`. */
  readonly valid_to?: string
}

/**
 * Whose certificate the connection was made with; the organizational units are groups. Only where TLS ends in this process and has
 * verified it: what a proxy writes into headers is not looked at.
 */
export function clientCertificate(options: ClientCertificateOptions = {}): Authenticate {
  checkOptions('clientCertificate()', options, { subject: true })
  checkChoice('subject', options.subject, ['cn', 'dns', 'email', 'uri'])
  const { subject: kind = 'cn' } = options
  return (request) => {
    const socket = socketOf(request)
    if (socket?.authorized !== true) return undefined
    return identityOf(socket.getPeerCertificate() as PeerCertificate, kind)
  }
}

function identityOf(
  { subject = {}, subjectaltname = '', valid_to: validTo = '' }: PeerCertificate,
  kind: NonNullable<ClientCertificateOptions['subject']>,
): Identity | undefined {
  // A connection may last longer than what it was made with. Where there is no certificate, there is no date: Node calls a client
  // authorized that has shown none, once it takes up a session of TLS 1.3 again.
  if (!(Date.parse(validTo) >= Date.now())) return undefined
  const name = kind === 'cn' ? list(subject.CN).at(-1) : alternative(subjectaltname, kind)
  return name === undefined || name === '' ? undefined : { subject: name, groups: list(subject.OU) }
}

function alternative(text: string, kind: 'dns' | 'email' | 'uri'): string | undefined {
  const prefix = { dns: 'DNS:', email: 'email:', uri: 'URI:' }[kind]
  // A name with a comma or a quote in it is quoted by Node, and none that this is for.
  return text
    .split(', ')
    .find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length)
}

function list(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : [value].flat()
}

/** Node's request, Express's, Koa's context and Fastify's request all lead to it. */
function socketOf({ raw }: HttpRequest): TLSSocket | undefined {
  const { socket, req, raw: inner } = (raw ?? {}) as Record<'socket' | 'req' | 'raw', unknown>
  const found = socket ?? (req as { socket?: unknown })?.socket ?? (inner as { socket?: unknown })?.socket
  const { getPeerCertificate } = (found ?? {}) as Partial<TLSSocket>
  return typeof getPeerCertificate === 'function' ? (found as TLSSocket) : undefined
}
