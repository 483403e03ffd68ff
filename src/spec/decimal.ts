/**
 * A non-negative decimal integer as headers and queries carry it: digits only, no sign, space, exponent or leading zero, at
 * most `Number.MAX_SAFE_INTEGER`. `undefined` for anything else; `Number` would read `''`, `' 1'`, `0x10` and `1e3` as well.
 */
export function parseDecimal(text: string): number | undefined {
  if (text.length > 1 && text.charCodeAt(0) === 0x30) return undefined
  const value = readDigits(text, 0, text.length)
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

/**
 * Digits of `text` from `start` to `end`, leading zeros allowed (the grammar of HTTP ranges is `1*DIGIT`); infinity where a
 * number cannot hold them, `undefined` where there are none, or something else among them.
 */
export function readDigits(text: string, start: number, end: number): number | undefined {
  if (start >= end) return undefined
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return undefined
    value = value * 10 + digit
    if (value > Number.MAX_SAFE_INTEGER) value = Number.POSITIVE_INFINITY
  }
  return value
}
