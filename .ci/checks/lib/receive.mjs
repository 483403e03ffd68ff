// A reader of one blob that looks at every byte, and can be slow or leave.
import { request } from 'node:http'
import { blocks } from './blocks.mjs'

/**
 * GETs a blob and compares it, as it comes, with `content` or with the blocks of `size` and `name`. Resolves to `{ status, length, isRight, error }`:
 * `error` when the connection breaks off. `leaveAfter` so many bytes it goes; from `pauseAt` on it reads nothing `until` a promise resolves, and says so to `onPause`.
 */
export async function receive(
  url,
  { size, name, content, agent, onFirst, leaveAfter = Infinity, pauseAt = Infinity, onPause, until },
) {
  const expected = content ? [content] : blocks(size, name)
  const isNext = comparer(expected[Symbol.iterator]())
  const result = { status: undefined, length: 0, isRight: true, error: undefined }
  try {
    const response = await new Promise((resolve, reject) => {
      request(url, { agent }).once('response', resolve).once('error', reject).end()
    })
    result.status = response.statusCode
    for await (const chunk of response) {
      if (result.length === 0) onFirst?.()
      result.length += chunk.length
      result.isRight &&= isNext(chunk)
      if (result.length >= leaveAfter) break
      if (result.length < pauseAt) continue
      onPause?.()
      await until
    }
  } catch (error) {
    result.error = error
  }
  return result
}

/** Whether the next bytes are those that the blocks have next. */
function comparer(iterator) {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (rest.length === 0) rest = iterator.next().value ?? Buffer.alloc(0)
      const length = Math.min(rest.length, chunk.length - at)
      if (length === 0 || rest.compare(chunk, at, at + length, 0, length) !== 0) return false
      rest = rest.subarray(length)
      at += length
    }
    return true
  }
}
