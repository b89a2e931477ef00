import { signal } from '@preact/signals'
import type { Series } from '../series/series.ts'

/** A request and its answer so far. */
export interface Run {
  /** Numbers the runs of this visit. */
  readonly id: number
  readonly model: string
  /** The JSON body of the /sequence request. */
  readonly request: object
  /** The address of the service. */
  readonly url: string
  /** The steps' answers, by name, in the order of the answer's fields. */
  readonly series: Map<string, Series>
  /** Components that read it rerender when it changes. */
  state: 'running' | 'done' | 'failed'
}

let count = 0

export function createRun ({ model, request, url }: Pick<Run, 'model' | 'request' | 'url'>): Run {
  const state = signal<Run['state']>('running')
  return {
    id: ++count,
    model,
    request,
    url,
    series: new Map(),
    get state () { return state.value },
    set state (next) { state.value = next }
  }
}
