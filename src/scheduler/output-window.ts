/** Keeps the rows of a streamed task from running further ahead of its reader than there is room for their output (back-pressure). */
export interface OutputWindow {
  /** Rows may take the steps before this one. */
  readonly limit: number
  /** A row has taken its steps before `t`. */
  reached (row: number, t: number): void
  /** Sets the function to call when the limit has moved, or when rows must be checked again. */
  onMove (resume: () => void): void
}

/** The reader's side of an output window. */
export interface WindowReader extends OutputWindow {
  /**
   * Waits until all rows have taken step `t`, and returns how many steps they have all taken.
   *
   * @throws whatever the task failed with, once the steps before the failure have been read.
   */
  beyond (t: number): Promise<number>
  /** The steps before `t` have been read. */
  read (t: number): void
  /** Has waiting rows checked again, so that deadlines and disconnects are noticed. */
  release (): void
  /** The task has failed. */
  fail (reason: unknown): void
}

/**
 * @param steps T, which may be more than any row's length.
 * @param lengths how many steps each row takes.
 * @param room how many steps of output there is room for.
 */
export function createOutputWindow (steps: number, lengths: readonly number[], room: number): WindowReader {
  const taken = new Array<number>(lengths.length).fill(0)
  let limit = room
  let failure: { readonly reason: unknown } | undefined
  let wake = (): void => {}
  let resume = (): void => {}

  return {
    get limit () { return limit },
    reached (row, t) {
      // A row beyond its own end keeps nobody waiting.
      taken[row] = t >= lengths[row] ? Infinity : t
      wake()
    },
    onMove (callback) { resume = callback },
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
      resume()
    },
    release () { resume() },
    fail (reason) {
      failure = { reason }
      wake()
    }
  }
}
