/** UTF-8, as RFC 7617 lets a server ask for and every registry takes. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

export function bearer(token: string): string {
  return `Bearer ${token}`
}

/** Whether a token can stand in a header: Node would throw, and say the token in its error. */
export function fits(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token)
}
