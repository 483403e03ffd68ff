// @ts-check
// Adds to a number in a store, and makes keys that may be made once, while other processes do the same; prints what it was told it had done.
import { filesystem, PreconditionFailedError } from 'wharfage'

const [directory, additions, keys] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: counting-process.js DIRECTORY ADDITIONS KEYS')

const driver = filesystem(directory)
/** @type {number[]} */
const numbers = []
/** @type {number[]} */
const made = []

/** @param {Promise<void>} put */
async function succeeds(put) {
  try {
    await put
    return true
  } catch (error) {
    if (error instanceof PreconditionFailedError) return false
    throw error
  }
}

async function add() {
  const { stat, content } = await driver.get('number')
  const next = Number(Buffer.from(content).toString()) + 1
  const put = driver.put('number', Buffer.from(String(next)), { ifVersion: stat.version ?? null })
  if (await succeeds(put)) numbers.push(next)
}

process.stdin.once('data', async () => {
  const adding = async () => {
    while (numbers.length < Number(additions)) await add()
  }
  await Promise.all([adding(), adding()])
  for (let key = 0; key < Number(keys); key++) {
    if (await succeeds(driver.put(`made/${key}`, Buffer.from('x'), { ifVersion: null }))) made.push(key)
  }
  process.stdout.write(JSON.stringify({ numbers, made }))
  process.stdin.destroy()
})
await driver.ping()
process.stdout.write('ready\n')
