import { InputError } from '../errors.ts'

/** What all requests together have reserved, and how much that may be. */
export interface Admission {
  /** Rows in work. */
  readonly rows: number
  /** Bytes held: bodies as they arrive, tensors, answers until they have been sent. */
  readonly bytes: number
  /** Whether a request is refused now, whatever it brings. */
  readonly full: boolean
  /**
   * Opens the account of one request.
   *
   * @param body bytes of the body that it is about to send, which are held at once.
   * @throws InputError if there is no room for it.
   */
  reserve (body?: number): Reservation
}

/**
 * What one request has reserved. The only request that holds anything may exceed the bounds; otherwise none that is larger than
 * they are could ever be answered.
 */
export interface Reservation {
  /** The body that was announced is here. */
  arrived (): void
  /**
   * Counts more bytes. Call it before they are allocated.
   *
   * @throws InputError if there is no room for them, or the request is over.
   */
  hold (bytes: number): void
  /**
   * Counts rows that enter the scheduler.
   *
   * @throws InputError likewise.
   */
  enter (rows: number): void
  /** Takes back an `enter`. */
  leave (rows: number): void
  /** Gives everything back, once the last row has left: its buffers are in use until then. May be called again. */
  release (): void
}

/** Larger bodies may be long on their way. */
const SMALL_BODY = 2 ** 16

/**
 * @param maxRows the most rows in work.
 * @param maxBytes the most bytes held. Large bodies that are still arriving take no more than half of them, so that those who send
 *   slowly, or announce what they never send, do not keep out small requests.
 */
export function createAdmission (maxRows: number, maxBytes: number): Admission {
  let rows = 0
  let bytes = 0
  let arriving = 0

  function createReservation (body: number): Reservation {
    const own = { rows: 0, bytes: body, arriving: body > SMALL_BODY ? body : 0 }
    bytes += own.bytes
    arriving += own.arriving
    let over = false

    function arrived (): void {
      arriving -= own.arriving
      own.arriving = 0
    }

    function checkOpen (): void {
      if (over) throw new InputError('gone', { path: '', message: 'the request is over' })
    }

    function settle (): void {
      if (!over || own.rows > 0) return
      bytes -= own.bytes
      own.bytes = 0
    }

    return {
      arrived,
      hold (more) {
        checkOpen()
        if (bytes > own.bytes && bytes + more > maxBytes) throw overloaded(rows, bytes)
        own.bytes += more
        bytes += more
      },
      enter (more) {
        checkOpen()
        if (rows > own.rows && rows + more > maxRows) throw overloaded(rows, bytes)
        own.rows += more
        rows += more
      },
      leave (fewer) {
        own.rows -= fewer
        rows -= fewer
        settle()
      },
      release () {
        over = true
        arrived()
        settle()
      }
    }
  }

  const isFull = (): boolean => rows >= maxRows || bytes >= maxBytes

  return {
    get rows () { return rows },
    get bytes () { return bytes },
    get full () { return isFull() },
    reserve (body = 0) {
      const tooMuch = bytes > 0 && bytes + body > maxBytes
      const tooSlow = body > SMALL_BODY && arriving > 0 && arriving + body > maxBytes / 2
      if (isFull() || tooMuch || tooSlow) throw overloaded(rows, bytes)
      return createReservation(body)
    }
  }
}

function overloaded (rows: number, bytes: number): InputError {
  return new InputError('unavailable', { path: '', message: `overloaded: ${rows} rows and ${bytes} bytes are in work; try again shortly` })
}
