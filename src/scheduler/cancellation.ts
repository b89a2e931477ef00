import { InputError } from '../errors.ts'
import type { Reservation } from './admission.ts'

/** When the work for a request stops early. Both are plain fields: they are looked at between steps. */
export interface Cancellation {
  /** The answer is too late past it, on the clock of `performance.now()`, in milliseconds. */
  readonly deadline: number
  /** Nobody waits for the answer any more. */
  cancelled: boolean
}

/** What comes with a request to a model: until when its answer is wanted, and what it has reserved. */
export interface Call extends Cancellation {
  /** Left out, the model makes a reservation for as long as it computes. */
  readonly reservation?: Reservation
}

/** Why the work for a request is to stop now, if it is. */
export function reasonToStop ({ cancelled, deadline }: Cancellation, now: number): InputError | undefined {
  if (cancelled) return new InputError('gone', { path: '', message: 'the caller has gone' })
  return now > deadline ? new InputError('late', { path: '', message: 'the answer was not ready in the time allowed' }) : undefined
}

/** A call without a deadline or a reservation, from within the process. */
export function unboundCall (): Call {
  return { deadline: Infinity, cancelled: false }
}
