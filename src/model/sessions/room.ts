import { InputError } from '../../errors.ts'

/** The limits for all sessions together. */
export interface Bounds {
  readonly maxSessions: number
  /** The most bytes that all of them hold. */
  readonly maxBytes: number
}

/**
 * Checks that there is room for another session.
 *
 * @param live how many there are, and `held` how many bytes they hold; neither counts one that the new one replaces.
 * @param more the bytes of the new one.
 * @throws InputError if there is no room.
 */
export function checkRoom ({ maxSessions, maxBytes }: Bounds, live: number, held: number, more: number): void {
  if (live < maxSessions && held + more <= maxBytes) return
  throw new InputError('unavailable', { path: '', message: `no room for another session: ${live} of ${maxSessions} live, and they hold ${held} of ${maxBytes} bytes` })
}
