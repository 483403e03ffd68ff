import { onTestFinished } from 'vitest'

/** What would have ended the process, in place of the runner, which fails all tests for it; until the test is over. */
export function uncaughtErrors(): readonly unknown[] {
  const uncaught: unknown[] = []
  const note = (error: unknown) => void uncaught.push(error)
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', note)
  onTestFinished(() => {
    process.off('uncaughtException', note)
    for (const other of others) process.on('uncaughtException', other)
  })
  return uncaught
}
