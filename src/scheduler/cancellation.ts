import { InputError } from '../errors.ts'

/** When the work for a request stops early. Both are plain fields, because they are checked between steps. */
export interface Cancellation {
  /** The answer is too late after this time, on the clock of `performance.now()`, in milliseconds. */
  deadline: number
  /** Nobody waits for the answer any more. */
  cancelled: boolean
}

/** Why the work for a request must stop now, if it must. */
export function reasonToStop ({ cancelled, deadline }: Cancellation, now: number): InputError | undefined {
  if (cancelled) return new InputError('gone', { path: '', message: 'the caller has gone' })
  return now > deadline ? new InputError('late', { path: '', message: 'the answer was not ready in the time allowed' }) : undefined
}
