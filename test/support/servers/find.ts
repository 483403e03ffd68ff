import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Where `npm run servers` puts what it installs; `.ci/servers` has the same rule. */
export function serversCache(): string {
  const { WHARFAGE_SERVERS, XDG_CACHE_HOME } = process.env
  return WHARFAGE_SERVERS || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'wharfage-servers')
}

/** `WHARFAGE_SERVERS=/none`: as on a machine that has none of them, whatever is on PATH. */
const NONE = '/none'

/** The path of a server that is installed, on PATH or by `npm run servers`; undefined when it is nowhere. */
export function findServer(command: string): string | undefined {
  if (process.env.WHARFAGE_SERVERS === NONE) return undefined
  const directories = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '')
  return [...directories, join(serversCache(), 'bin')].map((directory) => join(directory, command)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
