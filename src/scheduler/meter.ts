/** What a scheduler tells of its work for a model, in seconds and rows; it is for others to count. */
export interface Meter {
  /** A call of the engine: so many rows, each so many steps. */
  computed (model: string, rows: number, steps: number, seconds: number): void
  /** A request's first row began its first step, so long after the request was accepted. */
  began (model: string, secondsQueued: number): void
  /** Rows that wait for their turn. */
  queued (model: string, rows: number): void
}
