import type { Access, AccessContext } from '../../src/auth/access.ts'
import type { LogFields, Logger } from '../../src/logger.ts'

/** `repository:team/app:pull` and the like as the thing it names. */
export function access(text: string): Access {
  const [type, name, action] = text.split(':')
  return { type, name, action } as Access // written by hand in the tables beside this file
}

/** What a handler tells a controller, for tests without one. */
export function accessContext(fields: Partial<AccessContext> = {}): AccessContext {
  return {
    baseUrl: 'http://registry.test',
    address: '192.0.2.1',
    requestId: 'r1',
    signal: new AbortController().signal,
    note: () => {},
    ...fields,
  }
}

/** Keeps each line as `LEVEL MESSAGE: ERROR`, or `LEVEL MESSAGE: REASON`. */
export function recordingLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (fields: LogFields, message: string) => {
    const reason = fields.err instanceof Error ? fields.err.message : fields.reason
    lines.push(`${level} ${message}${reason === undefined ? '' : `: ${reason}`}`)
  }
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}
