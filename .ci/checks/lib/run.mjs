// One command, run to its end.
import { spawn } from 'node:child_process'

/** Resolves to the standard output, trimmed; rejects with what the command printed when it fails or takes too long. */
export async function run(command, args, { cwd, env = process.env, timeoutMs = 300_000 } = {}) {
  const { code, stdout, stderr } = await attempt(command, args, { cwd, env, timeoutMs })
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')}\nexited with ${code}\n${stdout.slice(-2000)}${stderr.slice(-4000)}`)
  return stdout.trim()
}

/** As `run`, for commands that are expected to fail: resolves to `{ code, stdout, stderr }` whatever the exit code. */
export function attempt(command, args, { cwd, env = process.env, timeoutMs = 300_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk
    })
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code: code ?? signal, stdout, stderr })
    })
  })
}
