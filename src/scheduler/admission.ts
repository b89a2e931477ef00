import { InputError } from '../errors.ts'

/** What all models together have accepted and not yet answered, and how much that may be. */
export interface Admission {
  /** Rows accepted and not yet answered. */
  readonly rows: number
  /** Bytes of their tensors, those of the answers included. */
  readonly bytes: number
  /** Whether a request is refused now, whatever it brings. */
  readonly full: boolean
  /**
   * Accepts a request. One that is larger than the bounds is accepted where it is the only one.
   *
   * @throws InputError where there is no room for it.
   */
  enter (rows: number, bytes: number): void
  /** Takes back an `enter`, once the request is answered. */
  leave (rows: number, bytes: number): void
}

export function createAdmission (maxRows: number, maxBytes: number): Admission {
  let rows = 0
  let bytes = 0
  return {
    get rows () { return rows },
    get bytes () { return bytes },
    get full () { return rows >= maxRows || bytes >= maxBytes },
    enter (moreRows, moreBytes) {
      if (rows > 0 && (rows + moreRows > maxRows || bytes + moreBytes > maxBytes)) throw overloaded(rows, bytes)
      rows += moreRows
      bytes += moreBytes
    },
    leave (lessRows, lessBytes) {
      rows -= lessRows
      bytes -= lessBytes
    }
  }
}

/** The refusal of a request for which there is no room. */
export function overloaded (rows: number, bytes: number): InputError {
  return new InputError('unavailable', { path: '', message: `overloaded: ${rows} rows of ${bytes} bytes are in work; try again shortly` })
}
