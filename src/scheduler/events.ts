/** What the scheduler reports of its work, in seconds and rows; it is for others to count. */
export interface SchedulerEvents {
  /** A call of the engine for a model: `rows` rows, `steps` steps each. */
  computed (model: string, rows: number, steps: number, seconds: number): void
  /** A request's first row began its first step, so long after the request was accepted. */
  began (model: string, secondsQueued: number): void
  /** Rows of a model that wait for their turn. */
  queued (model: string, rows: number): void
}

/** For a scheduler that nobody watches. */
export const SILENT: SchedulerEvents = { computed () {}, began () {}, queued () {} }
