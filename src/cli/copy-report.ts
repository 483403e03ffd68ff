import type { CopyProgress, CopyResult } from '../copy/progress.ts'
import { formatBytes } from './format-bytes.ts'
import { ProgressBar } from './progress-bar.ts'

/** Tells of a copy: what goes on to the standard error, what came of it to the standard output. */
export interface CopyReport {
  event(event: CopyProgress): void
  result(result: CopyResult): void
  /** Before anything else is written, an error say. */
  end(): void
}

export interface ReportOptions {
  readonly json: boolean
  readonly quiet: boolean
  /** Whether the standard output is taken by an archive: then nothing else goes there. */
  readonly outputIsTaken: boolean
}

export function reportFor({ json, quiet, outputIsTaken }: ReportOptions): CopyReport {
  const print = outputIsTaken ? (text: string) => console.error(text) : (text: string) => console.log(text)
  if (json) return jsonReport(print, quiet)
  if (quiet) return { event: () => {}, result: () => {}, end: () => {} }
  const summary = (result: CopyResult) => print(summaryOf(result))
  return process.stderr.isTTY ? barReport(summary) : lineReport(summary)
}

/** One object a line: each event, and at last `{"type":"result",…}`. */
function jsonReport(print: (text: string) => void, quiet: boolean): CopyReport {
  return {
    event: (event) => {
      if (!quiet) print(JSON.stringify(event, errorsAsText))
    },
    result: (result) => print(JSON.stringify({ type: 'result', ...result })),
    end: () => {},
  }
}

function barReport(result: (result: CopyResult) => void): CopyReport {
  const bar = new ProgressBar(process.stderr)
  return {
    event: (event) => {
      if (event.type === 'blob.retried') {
        bar.clear()
        console.error(lineOf(event))
      }
      bar.draw(event.totals)
    },
    result,
    end: () => bar.clear(),
  }
}

function lineReport(result: (result: CopyResult) => void): CopyReport {
  return {
    event: (event) => {
      const line = lineOf(event)
      if (line !== undefined) console.error(line)
    },
    result,
    end: () => {},
  }
}

/** `undefined` for what is not worth a line. */
export function lineOf(event: CopyProgress): string | undefined {
  switch (event.type) {
    case 'planned': {
      const { bytes, blobs } = event.totals
      return `${event.repository}: ${count(blobs.total - blobs.done, 'blob')}, ${formatBytes(bytes.total - bytes.moved)} to move`
    }
    case 'blob.done':
      return `blob ${event.blob.digest} ${formatBytes(event.blob.size)}`
    case 'blob.mounted':
      return `blob ${event.blob.digest} mounted from ${event.from}`
    case 'blob.skipped':
      return `blob ${event.blob.digest} is there`
    case 'blob.retried': {
      const reason = event.error instanceof Error ? event.error.message : String(event.error)
      return `blob ${event.blob.digest} again in ${(event.delayMs / 1000).toFixed(1)} s: ${reason}`
    }
    case 'manifest.done':
      return `manifest ${event.manifest.digest}${event.skipped ? ' is there' : ''}`
    case 'tag.set':
      return `tag ${event.repository}:${event.tag}${event.skipped ? ' is there' : ` at ${event.digest}`}`
    case 'blob.started':
    case 'blob.advanced':
      return undefined
  }
}

export function summaryOf({ dryRun, images, blobs, bytes, manifests }: CopyResult): string {
  const lines = images.flatMap(({ repository, digest, tags }) =>
    tags.length === 0 ? [`${repository}@${digest}`] : tags.map((tag) => `${repository}:${tag} ${digest}`),
  )
  const foreign = blobs.foreign > 0 ? [`${count(blobs.foreign, 'foreign layer')} left out`] : []
  const counts = [
    `${count(blobs.moved, 'blob')} moved (${formatBytes(bytes.moved)})`,
    ...(blobs.mounted > 0 ? [`${blobs.mounted} mounted (${formatBytes(bytes.mounted)})`] : []),
    ...(blobs.skipped > 0 ? [`${blobs.skipped} there already (${formatBytes(bytes.skipped)})`] : []),
    ...foreign,
    `${count(manifests.written, 'manifest')} written`,
  ]
  return [...lines, `${dryRun ? 'would be: ' : ''}${counts.join(', ')}`].join('\n')
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
