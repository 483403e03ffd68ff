import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a helper has, by key: the user name and the secret. */
export type Kept = Readonly<Record<string, readonly [username: string, secret: string]>>

/** A credential helper that keeps what it has in a file beside it, as real ones keep it in a keychain. */
export async function writeHelper(directory: string, name: string, kept: Kept): Promise<() => Promise<Kept>> {
  const file = join(directory, `${name}.kept.json`)
  await writeFile(file, JSON.stringify(kept))
  await writeProgram(
    directory,
    name,
    `
const fs = require('node:fs')
const kept = JSON.parse(fs.readFileSync(${JSON.stringify(file)}, 'utf8'))
const input = fs.readFileSync(0, 'utf8')
const action = process.argv[2]
const fail = (message) => {
  console.log(message)
  process.exit(1)
}
if (action === 'get') {
  if (!Object.hasOwn(kept, input)) fail('credentials not found in native keychain')
  const [Username, Secret] = kept[input]
  console.log(JSON.stringify({ ServerURL: input, Username, Secret }))
} else {
  const { ServerURL, Username, Secret } = action === 'store' ? JSON.parse(input) : {}
  if (action === 'store') kept[ServerURL] = [Username, Secret]
  else if (!Object.hasOwn(kept, input)) fail('credentials not found in native keychain')
  else delete kept[input]
  fs.writeFileSync(${JSON.stringify(file)}, JSON.stringify(kept))
}`,
  )
  return async () => JSON.parse(await readFile(file, 'utf8')) as Kept // our own file
}

/** @param source - of a script for Node */
export async function writeProgram(directory: string, name: string, source: string): Promise<void> {
  const path = join(directory, `docker-credential-${name}`)
  await writeFile(path, `#!${process.execPath}\n${source}\n`)
  await chmod(path, 0o755)
}
