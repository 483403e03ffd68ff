import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type WatchedFileOptions, watchedFile } from '../../src/auth/watched-file.ts'
import { temporaryDirectories } from '../support/temporary-directory.ts'
import { recordingLogger } from './support.ts'

const directory = temporaryDirectories()

/** Reads a number; `time.now` is its clock. */
async function numberFile(text: string | undefined, options: Partial<WatchedFileOptions<number>> = {}) {
  const file = join(await directory(), 'number')
  if (text !== undefined) await writeFile(file, text)
  const time = { now: 0 }
  const { logger, lines } = recordingLogger()
  const parsed: string[] = []
  const watched = watchedFile({
    file,
    parse: (content) => {
      parsed.push(content)
      if (/^\d+$/.test(content)) return Number(content)
      throw new Error('line 1: not a number')
    },
    maxBytes: 8,
    now: () => time.now,
    logger,
    ...options,
  })
  const later = () => {
    time.now += 1000
    return watched.current()
  }
  return { file, time, lines, parsed, watched, later }
}

describe('watchedFile', () => {
  it('reads the file when it is first needed, and looks at it no more often than the interval', async () => {
    const { file, time, parsed, watched, later } = await numberFile('1')
    expect(parsed).toEqual([])
    expect(await watched.current()).toBe(1)
    await writeFile(file, '2')
    time.now = 999
    expect(await watched.current()).toBe(1)
    time.now = 1000
    expect(await watched.current()).toBe(2)
    expect(await later()).toBe(2)
    expect(parsed).toEqual(['1', '2'])
  })

  it('shares a look among all who wait', async () => {
    const { parsed, watched } = await numberFile('1', { intervalMs: 0 })
    expect(await Promise.all(Array.from({ length: 10 }, () => watched.current()))).toEqual(Array(10).fill(1))
    expect(parsed).toEqual(['1'])
  })

  it('looks again after its clock went back', async () => {
    const { file, time, watched } = await numberFile('1')
    time.now = 5000
    expect(await watched.current()).toBe(1)
    await writeFile(file, '2')
    time.now = 100
    expect(await watched.current()).toBe(2)
  })

  it('notices content of the same size and date', async () => {
    const { file, watched, later } = await numberFile('1')
    await utimes(file, 1, 1)
    expect(await watched.current()).toBe(1)
    await writeFile(file, '2')
    await utimes(file, 1, 1)
    expect(await later()).toBe(2)
  })

  it('follows a file that is replaced, and a link that is turned', async () => {
    const { file, watched, later } = await numberFile('1')
    expect(await watched.current()).toBe(1)
    await writeFile(`${file}.new`, '2')
    await rename(`${file}.new`, file)
    expect(await later()).toBe(2)
    await writeFile(`${file}.other`, '3')
    await symlink(`${file}.other`, `${file}.link`)
    await rename(`${file}.link`, file)
    expect(await later()).toBe(3)
  })

  it('keeps what it knows while the file is not usable, and says so once per change', async () => {
    const { file, lines, watched, later } = await numberFile('1')
    expect(await watched.current()).toBe(1)
    await writeFile(file, 'x')
    for (let i = 0; i < 3; i++) expect(await later()).toBe(1)
    expect(lines).toEqual([`error a changed file is not usable, its last content stays in use: line 1: not a number`])
    await writeFile(file, 'y')
    await later()
    await rm(file)
    expect(await later()).toBe(1)
    expect(await later()).toBe(1)
    await writeFile(file, '123456789')
    expect(await later()).toBe(1)
    await writeFile(file, '1')
    expect(await later()).toBe(1)
    await writeFile(file, '2')
    expect(await later()).toBe(2)
    expect(lines.slice(1)).toEqual([
      `error a changed file is not usable, its last content stays in use: line 1: not a number`,
      `error a changed file is not usable, its last content stays in use: no such file`,
      `error a changed file is not usable, its last content stays in use: larger than 8 bytes`,
      'warn a changed file is usable again, and in use',
      'info a changed file is in use',
    ])
  })

  it('throws while it knows nothing, and recovers', async () => {
    const { file, lines, time, watched, later } = await numberFile(undefined)
    await expect(watched.current()).rejects.toThrow(`${file}: no such file`)
    await writeFile(file, 'x')
    time.now = 999
    await expect(watched.current()).rejects.toThrow(`${file}: no such file`)
    await expect(later()).rejects.toThrow(`${file}: line 1: not a number`)
    await writeFile(file, '1')
    expect(await later()).toBe(1)
    expect(lines).toEqual([])
  })

  it('takes a file of the greatest size, and none of more', async () => {
    const { file, watched, later } = await numberFile('12345678')
    expect(await watched.current()).toBe(12345678)
    await appendFile(file, '9')
    expect(await later()).toBe(12345678)
    const larger = await numberFile('123456789')
    await expect(larger.watched.current()).rejects.toThrow(`${larger.file}: larger than 8 bytes`)
  })

  it('refuses what is no text and what is no file', async () => {
    const { file, watched, later } = await numberFile(undefined)
    await mkdir(file)
    await expect(watched.current()).rejects.toThrow(`${file}: not a file`)
    await rm(file, { recursive: true })
    await writeFile(file, Uint8Array.of(0xff, 0x31))
    await expect(later()).rejects.toThrow(`${file}: not UTF-8 text`)
  })

  it('takes a URL, and text that begins with a byte order mark', async () => {
    const { file } = await numberFile('\ufeff7')
    const watched = watchedFile({ file: pathToFileURL(file), parse: Number, maxBytes: 100 })
    expect(await watched.current()).toBe(7)
  })

  it('refuses an interval that is none', () => {
    const options = { file: 'x', parse: Number, maxBytes: 1, intervalMs: -1 }
    expect(() => watchedFile(options)).toThrow('the option "intervalMs" must be a number, 0 or more, not the number -1')
  })
})
