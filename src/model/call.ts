import type { Reservation } from '../scheduler/admission.ts'
import type { Cancellation } from '../scheduler/cancellation.ts'

export type { Reservation }

/** What accompanies a request to a model: its deadline or cancellation, and its reservation. */
export interface Call extends Cancellation {
  /** If left out, the model makes a reservation for as long as it computes. */
  readonly reservation?: Reservation
}

/** A call without a deadline or a reservation, from within the process. */
export function unboundCall (): Call {
  return { deadline: Infinity, cancelled: false }
}
