import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Audit } from '../http/audit.ts'
import { CliError, messageOf } from './cli-error.ts'

export interface AuditLog {
  readonly write: Audit
  close(): Promise<void>
}

/**
 * Each decision as a line of JSON, at the end of `file` or, for `-`, on standard output. What cannot be written is told on standard error.
 *
 * @throws {@link CliError}
 */
export async function openAuditLog(file: string): Promise<AuditLog> {
  if (file === '-') return { write: (decision) => void process.stdout.write(line(decision)), close: async () => {} }
  try {
    // Who asks for what is nobody else's business.
    await (await open(file, 'a', 0o600)).close()
  } catch (cause) {
    throw new CliError(`--audit-log ${file}: ${messageOf(cause)}`, undefined, { cause })
  }
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 })
  stream.on('error', (error) => console.error(`wharfage: the audit log cannot be written: ${error.message}`))
  return {
    write: (decision) => void stream.write(line(decision)),
    close: () => new Promise((resolve) => void stream.end(() => resolve())),
  }
}

function line(decision: Parameters<Audit>[0]): string {
  return `${JSON.stringify(decision)}\n`
}
