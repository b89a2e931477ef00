/** What a scheduler tells of its work, in seconds and rows; it is for others to count. */
export interface Meter {
  /** A call of the engine: so many rows, each so many steps. */
  computed (rows: number, steps: number, seconds: number): void
  /** A request's first row began its first step, so long after the request was accepted. */
  began (secondsQueued: number): void
  /** Rows that wait for their turn. */
  queued (rows: number): void
}
