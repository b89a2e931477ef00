import { InputError } from '../../errors.ts'

/** How much sessions may be. */
export interface Bounds {
  readonly maxSessions: number
  /** The most bytes of all of them. */
  readonly maxBytes: number
}

/**
 * Whether there is room for another session.
 *
 * @param live how many there are, and the bytes that they hold; without one that the new one replaces.
 * @param more the bytes of the new one.
 * @throws InputError if there is none.
 */
export function checkRoom ({ maxSessions, maxBytes }: Bounds, live: number, held: number, more: number): void {
  if (live < maxSessions && held + more <= maxBytes) return
  throw new InputError('unavailable', { path: '', message: `no room for another session: ${live} of ${maxSessions} live, and they hold ${held} of ${maxBytes} bytes` })
}
