/** What the scheduler reports about its work, in seconds and rows, for others to count. */
export interface SchedulerEvents {
  /** A call of the engine for a model: `rows` rows, `steps` steps each. */
  computed (model: string, rows: number, steps: number, seconds: number): void
  /** A request's first row began its first step, this long after the request was accepted. */
  began (model: string, secondsQueued: number): void
  /** Rows of a model that wait for their turn. */
  queued (model: string, rows: number): void
}

/** For a scheduler that nobody watches. */
export const SILENT: SchedulerEvents = { computed () {}, began () {}, queued () {} }
