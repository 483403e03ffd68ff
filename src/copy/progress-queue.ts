import type { CopyProgress } from './progress.ts'

/** Events that nobody has read yet; beyond that the oldest go. */
const MAX_PENDING = 1_000

/** Events from who makes them to who reads them, neither waiting for the other. */
export class ProgressQueue {
  #pending: CopyProgress[] = []
  #end: { readonly error?: unknown } | undefined
  #wake: (() => void) | undefined

  push(event: CopyProgress): void {
    if (event.type === 'blob.advanced') this.#forgetAdvance(event.blob.digest)
    if (this.#pending.length === MAX_PENDING) this.#pending.shift()
    this.#pending.push(event)
    this.#wake?.()
  }

  /** After what is pending, reading ends; with an error it fails. */
  end(how: { readonly error?: unknown }): void {
    this.#end = how
    this.#wake?.()
  }

  async *read(): AsyncGenerator<CopyProgress, void, undefined> {
    for (;;) {
      const event = this.#pending.shift()
      if (event !== undefined) yield event
      else if (this.#end !== undefined) {
        if ('error' in this.#end) throw this.#end.error
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  /** How far a blob was before tells nobody anything any more. */
  #forgetAdvance(digest: string): void {
    const at = this.#pending.findIndex((event) => event.type === 'blob.advanced' && event.blob.digest === digest)
    if (at >= 0) this.#pending.splice(at, 1)
  }
}
