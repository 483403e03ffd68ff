import { RegistryError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { CliError, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from './cli-error.ts'
import { generalHelp } from './help.ts'
import { version } from './version.ts'

interface Command {
  readonly help: () => string
  /** Resolves with the exit code, when the command has ended. */
  readonly run: (args: readonly string[]) => Promise<number>
}

interface ListedCommand {
  /** One line for the list of commands. */
  readonly summary: string
  /** Each is read from disk when it is called: copying has no use for what serving needs. */
  readonly load: () => Promise<Command>
}

const COMMANDS: Readonly<Record<string, ListedCommand>> = {
  serve: {
    summary: 'serve a registry over HTTP',
    load: async () => {
      const { serve, serveHelp } = await import('./serve.ts')
      return { help: serveHelp, run: serve }
    },
  },
  copy: {
    summary: 'copy images between registries, layouts, archives and stores',
    load: async () => {
      const { copyCommand, copyHelp } = await import('./copy.ts')
      return { help: copyHelp, run: copyCommand }
    },
  },
  tags: {
    summary: 'list the tags of a repository',
    load: async () => {
      const { tags, tagsHelp } = await import('./tags.ts')
      return { help: tagsHelp, run: tags }
    },
  },
  inspect: {
    summary: 'show what an image consists of',
    load: async () => {
      const { inspect, inspectHelp } = await import('./inspect.ts')
      return { help: inspectHelp, run: inspect }
    },
  },
  delete: {
    summary: 'delete a tag or a manifest',
    load: async () => {
      const { deleteCommand, deleteHelp } = await import('./delete.ts')
      return { help: deleteHelp, run: deleteCommand }
    },
  },
  login: {
    summary: 'log in to a registry',
    load: async () => {
      const { login, loginHelp } = await import('./login.ts')
      return { help: loginHelp, run: login }
    },
  },
  logout: {
    summary: 'forget a login',
    load: async () => {
      const { logout, logoutHelp } = await import('./login.ts')
      return { help: logoutHelp, run: logout }
    },
  },
}

/**
 * Runs the command line `args` (without node and the script) to its end.
 *
 * @returns the exit code: 0 done, 1 failed, 2 the command line makes no sense
 */
export async function run(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args)
  } catch (error) {
    if (error instanceof CliError) {
      console.error(`wharfage: ${error.message}`)
      return error.exitCode
    }
    // A registry's refusal says it all; a failure of ours needs its stack.
    if (RegistryError.is(error)) console.error(`wharfage: ${error.message}${hintFor(error)}`)
    else console.error(error)
    return EXIT_FAILURE
  }
}

/** What to do on the command line, and what it is about. */
function hintFor(error: RegistryError): string {
  return loginHint(error) + nameHint(error) + tlsHint(error)
}

/** A registry on a loopback address is not asked for TLS, unless the command line does. */
function tlsHint({ message }: RegistryError): string {
  return message.includes('plain HTTP') ? ' (--tls asks for TLS; of copy, --src-tls and --dest-tls)' : ''
}

/** Where the error does not say it itself. */
function loginHint({ code, message }: RegistryError): string {
  return code === 'UNAUTHORIZED' && !message.includes('wharfage login') ? ' (wharfage login HOST logs in)' : ''
}

/** Which name it is about, that of a repository in an archive say, which nobody has typed. */
function nameHint({ code, detail }: RegistryError): string {
  const name: unknown = code === 'NAME_INVALID' && Object(detail).name
  return typeof name === 'string' && name !== '' ? `, not ${JSON.stringify(name)}` : ''
}

async function dispatch([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined) {
    console.error(help())
    return EXIT_USAGE
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    return print(rest[0] === undefined ? help() : (await commandNamed(rest[0])).help())
  }
  if (name === '--version' || name === '-v') return print(version())
  const command = await commandNamed(name)
  const options = rest.slice(0, endOfOptions(rest))
  if (options.includes('--help') || options.includes('-h')) return print(command.help())
  return command.run(rest)
}

async function commandNamed(name: string): Promise<Command> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw unknownCommand(name)
  return command.load()
}

function help(): string {
  return generalHelp(Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary]))
}

function unknownCommand(name: string): CliError {
  // `wharfage --listen …` is a command that was left out, not a command of that name.
  if (name.startsWith('-'))
    return new CliError(`a command is missing before ${name}: wharfage serve ${name} …`, EXIT_USAGE)
  const guess = nearest(name, Object.keys(COMMANDS))
  const hint = guess === undefined ? `the commands are: ${Object.keys(COMMANDS).join(', ')}` : `did you mean ${guess}?`
  return new CliError(`unknown command ${JSON.stringify(name)}: ${hint}`, EXIT_USAGE)
}

function endOfOptions(args: readonly string[]): number {
  const end = args.indexOf('--')
  return end === -1 ? args.length : end
}

function print(text: string): number {
  console.log(text)
  return EXIT_OK
}
