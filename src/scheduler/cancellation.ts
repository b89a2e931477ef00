/** Who waits for an answer, and until when. */
export interface Caller {
  /** When the answer comes too late, on the clock of `performance.now()`, in milliseconds. */
  readonly deadline: number
  /** The caller has gone: nobody wants the answer any more. */
  gone: boolean
}

/** One who waits for as long as it takes. */
export function patientCaller (): Caller {
  return { deadline: Infinity, gone: false }
}
