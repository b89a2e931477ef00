import type { Reservation } from '../scheduler/admission.ts'
import type { Cancellation } from '../scheduler/cancellation.ts'

export type { Reservation }

/** What comes with a request to a model: until when its answer is wanted, and what it has reserved. */
export interface Call extends Cancellation {
  /** Left out, the model makes a reservation for as long as it computes. */
  readonly reservation?: Reservation
}

/** A call without a deadline or a reservation, from within the process. */
export function unboundCall (): Call {
  return { deadline: Infinity, cancelled: false }
}
