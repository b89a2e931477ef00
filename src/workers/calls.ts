import type { Config } from '../config/settings.ts'
import type { Shelf } from '../model/sessions/shared/shelf.ts'
import type { Snapshot } from './metrics.ts'

/** The calls that the primary makes to a worker. */
export interface WorkerCalls {
  /** Loads the models. @returns what the log reports about them. */
  start (setup: Setup): Promise<object>
  /**
   * Accepts connections from now on.
   *
   * @param quiet whether to log nothing about it.
   * @param unloaded the models that have been unloaded on request.
   * @returns the port.
   */
  listen (port: number, quiet: boolean, unloaded: readonly string[]): Promise<number>
  metrics (): Promise<Snapshot>
  reload (): Promise<void>
  load (model: string): Promise<void>
  unload (model: string): Promise<void>
  /** Finishes its work, and ends. */
  drain (): void
}

export interface Setup {
  /** Its number, from 1 on; a worker that replaces it has the same number. */
  readonly worker: number
  readonly workers: number
  readonly config: Config
}

/** The calls that a worker makes to the primary, for what all workers share. */
export interface PrimaryCalls extends Omit<Shelf, 'close'> {
  /** The worker listens to the channel from now on. */
  begin (): void
  /** The metrics of all processes, as text and as data. */
  scrape (): Promise<string>
  snapshot (): Promise<Snapshot>
  /** Counts a request from a client. Returns how many it has sent in this second, and the milliseconds until the next one. */
  count (client: string): Promise<Rate>
  /** Makes every worker load or unload a model. */
  loadAll (model: string): Promise<void>
  unloadAll (model: string): Promise<void>
}

export interface Rate {
  readonly current: number
  readonly ttl: number
}
