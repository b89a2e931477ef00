import type { Series } from '../series/series.ts'

/** A request and what has been answered so far. */
export interface Run {
  readonly model: string
  /** The JSON body of the /sequence request. */
  readonly request: object
  /** The address of the service. */
  readonly url: string
  readonly series: Map<string, Series>
  state: 'running' | 'done' | 'failed'
}
