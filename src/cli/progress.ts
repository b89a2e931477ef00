import type { WriteStream } from 'node:tty'

/** Reports progress: as a bar on a terminal, elsewhere as an occasional line. */
export interface Progress {
  /** @param share the share of the work that is done, from 0 to 1. */
  show (share: number, text: string): void
  /** Removes the bar. */
  clear (): void
}

type Stream = Pick<WriteStream, 'write' | 'isTTY' | 'columns'>

/** Milliseconds between two updates of the bar, and between two lines. */
const BAR_EVERY = 200
const LINE_EVERY = 10_000

/** @param now returns the time in milliseconds. */
export function createProgress (stream: Stream, quiet: boolean, now: () => number = () => performance.now()): Progress {
  const begin = now()
  const every = stream.isTTY ? BAR_EVERY : LINE_EVERY
  let last = stream.isTTY ? -Infinity : begin
  /** The share that was already done at the start. */
  let from: number | undefined
  let shown = false
  return {
    show (share, text) {
      from ??= share
      const at = now()
      if (quiet || at - last < every) return
      last = at
      const left = share > from ? (at - begin) * (1 - share) / (share - from) : undefined
      const line = `${Math.floor(share * 100)} %, ${text}${left === undefined ? '' : `, ${timeOf(left)} left`}`
      if (!stream.isTTY) {
        stream.write(`${line}\n`)
        return
      }
      const room = Math.max(0, Math.min(30, (stream.columns ?? 80) - line.length - 4))
      const filled = Math.round(share * room)
      const bar = room === 0 ? '' : `[${'#'.repeat(filled)}${' '.repeat(room - filled)}] `
      stream.write(`\r${bar}${line}\u001b[K`)
      shown = true
    },
    clear () {
      if (shown) stream.write('\r\u001b[K')
      shown = false
    }
  }
}

/** `2 h 05 min`, `3 min 20 s`, `7 s`. */
export function timeOf (milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000)
  const two = (number: number): string => String(number).padStart(2, '0')
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds % 3600 / 60))} min`
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`
  return `${seconds} s`
}
