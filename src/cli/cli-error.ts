export const EXIT_OK = 0
export const EXIT_FAILURE = 1
/** The command line itself is wrong. */
export const EXIT_USAGE = 2

/** A failure that its message explains in full: shown without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT_FAILURE, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Why a file of the command line cannot be used, for whoever wrote it there. */
export function fileProblemOf(error: unknown): string {
  return FILE_PROBLEMS[systemCodeOf(error) ?? ''] ?? messageOf(error)
}

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EISDIR: 'not a file',
  EACCES: 'this process may not use it',
}

/** Node's `ENOENT`, `EADDRINUSE`, …; `undefined` for any other error. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
