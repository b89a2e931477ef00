import type { Work } from './task.ts'

/** Keeps the rows of a streamed request no further ahead of its reader than there is room for their output. */
export interface Pace {
  /** Rows may take the steps before this one. */
  readonly limit: number
  /** A row has taken its steps before `t`. */
  reached (row: number, t: number): void
  /** Has a row that is at the limit go on once that has moved. */
  park (goOn: () => void): void
}

/** The reader's side of it. */
export interface PacedReader extends Pace {
  /**
   * Waits until all rows have taken step `t`, and tells how many steps they have all taken.
   *
   * @throws whatever the work failed with, once what was done before has been read.
   */
  beyond (t: number): Promise<number>
  /** The steps before `t` have been read. */
  read (t: number): void
  /** Parks no row any more, for the scheduler to see that their time is over or their caller gone. */
  release (): void
  /** The work has failed. */
  fail (reason: unknown): void
}

/** @param room how many steps of output there is room for. */
export function createPace ({ steps, lengths }: Pick<Work, 'steps' | 'lengths'>, room: number): PacedReader {
  const taken = new Array<number>(lengths.length).fill(0)
  let limit = room
  let parked: Array<() => void> = []
  let released = false
  let failure: { readonly reason: unknown } | undefined
  let wake = (): void => {}

  function unpark (): void {
    const waiting = parked
    parked = []
    for (const goOn of waiting) goOn()
  }

  return {
    get limit () { return limit },
    reached (row, t) {
      // A row past its own end keeps nobody waiting.
      taken[row] = t === lengths[row] ? Infinity : t
      wake()
    },
    park (goOn) {
      parked.push(goOn)
      if (released) unpark()
    },
    async beyond (t) {
      for (;;) {
        const ready = taken.reduce((a, b) => Math.min(a, b), Math.min(limit, steps))
        if (ready > t) return ready
        if (failure !== undefined) throw failure.reason
        await new Promise<void>((resolve) => { wake = resolve })
      }
    },
    read (t) {
      limit = t + room
      unpark()
    },
    release () {
      released = true
      unpark()
    },
    fail (reason) {
      failure = { reason }
      wake()
    }
  }
}
