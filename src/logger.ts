/** Structured fields of one log line; `err` holds an error. */
export type LogFields = Readonly<Record<string, unknown>>

/** The slice of pino's logger that we call, fields first; any logger with these four methods will do. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

/** Warnings and errors to standard error, one line each; the default where no logger is given. */
export const consoleLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (fields, message) => console.error(`wharfage: ${message}`, fields),
  error: (fields, message) => console.error(`wharfage: ${message}`, fields),
}

/** Says nothing. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
