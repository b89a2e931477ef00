import type { Config } from '../config/settings.ts'
import type { Shelf } from '../model/sessions/shared/shelf.ts'
import type { Snapshot } from './metrics.ts'

/** What the primary asks of a worker. */
export interface WorkerCalls {
  /** Loads the models. @returns what the log says of them. */
  start (setup: Setup): Promise<object>
  /**
   * Takes connections from now on.
   *
   * @param quiet whether nothing is logged of it.
   * @param unloaded the models that somebody has unloaded.
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
  /** Its number, from 1 on; the one that takes its place if it ends has the same. */
  readonly worker: number
  readonly workers: number
  readonly config: Config
}

/** What a worker asks of the primary: that of which there is one for all. */
export interface PrimaryCalls extends Omit<Shelf, 'close'> {
  /** It listens to the channel from now on. */
  begin (): void
  /** The metrics of all, as text, and as data. */
  scrape (): Promise<string>
  snapshot (): Promise<Snapshot>
  /** Counts a request of a client: how many it has sent in this second, and the milliseconds until the next. */
  count (client: string): Promise<Rate>
  /** Has every worker load a model, or unload it. */
  loadAll (model: string): Promise<void>
  unloadAll (model: string): Promise<void>
}

export interface Rate {
  readonly current: number
  readonly ttl: number
}
