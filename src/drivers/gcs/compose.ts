import type { Bucket, File } from '@google-cloud/storage'
import { inParallel } from '../../in-parallel.ts'

/** Objects that one call puts together. */
const MAX_SOURCES = 32
const AT_ONCE = 8

/**
 * Puts objects together, however many: by a tree of objects in between, which are the caller's to delete.
 *
 * @param between - names for those, each used once
 * @returns the names that were used of `between`
 */
export async function compose(
  bucket: Bucket,
  sources: readonly string[],
  target: string,
  contentType: string,
  between: (index: number) => string,
): Promise<readonly string[]> {
  const used: string[] = []
  let level = sources
  while (level.length > MAX_SOURCES) {
    const groups = Array.from({ length: Math.ceil(level.length / MAX_SOURCES) }, (_, index) =>
      level.slice(index * MAX_SOURCES, (index + 1) * MAX_SOURCES),
    )
    const next = groups.map((_, index) => between(used.length + index))
    used.push(...next)
    await inParallel(groups, AT_ONCE, (group, index) => combine(bucket, group, next[index] ?? '', contentType))
    level = next
  }
  await combine(bucket, level, target, contentType)
  return used
}

async function combine(bucket: Bucket, sources: readonly string[], name: string, contentType: string): Promise<void> {
  const target: File = bucket.file(name)
  // Otherwise it is guessed from the name, and the lack of a guess is an error.
  target.metadata.contentType = contentType
  await bucket.combine([...sources], target)
}
