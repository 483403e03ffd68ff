// Clients that hold a connection for as long as they are let: a byte of a request now and then.
import { once } from 'node:events'
import { connect } from 'node:net'

/**
 * Sends `head`, then a byte every `everyMs`. `ended` resolves to what the server said before it closed the connection, which may be
 * nothing.
 */
export async function slowClient(port, head, everyMs) {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text
  })
  socket.on('error', () => {}) // a reset is an end like any other
  const ended = new Promise((resolve) => socket.once('close', () => resolve(answer)))
  await once(socket, 'connect')
  socket.write(head)
  const timer = setInterval(() => socket.write('x'), everyMs)
  ended.then(() => clearInterval(timer))
  return { ended, destroy: () => socket.destroy() }
}
