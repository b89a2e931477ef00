import { InputError } from '../errors.ts'

/** Counts what all requests together have reserved, and limits it. */
export interface Admission {
  /** Rows in progress. */
  readonly rows: number
  /** Bytes held: bodies as they arrive, tensors, answers until they have been sent. */
  readonly bytes: number
  /** Whether every request is refused now, whatever it needs. */
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
 * What one request has reserved. The only request that holds anything may exceed the limits; otherwise a request larger than the
 * limits could never be answered.
 */
export interface Reservation {
  /** Call it when the announced body has arrived. */
  arrived (): void
  /**
   * Counts more bytes. Call it before they are allocated.
   *
   * @throws InputError if there is no room for them, or the request has ended.
   */
  hold (bytes: number): void
  /**
   * Counts rows that enter the scheduler.
   *
   * @throws InputError if there is no room for them, or the request has ended.
   */
  enter (rows: number): void
  /** Undoes an `enter`. */
  leave (rows: number): void
  /** Releases nothing before this work has settled, because it uses what is held. */
  keepFor (work: Promise<unknown>): void
  /** Releases everything, once the last row has left and all work is done: its buffers are in use until then. It can be called again. */
  release (): void
}

/** Larger bodies can take long to arrive. */
const SMALL_BODY = 2 ** 16

/**
 * @param maxRows the most rows in progress.
 * @param maxBytes the most bytes held. Large bodies that are still arriving take no more than half of them, so that clients that
 *   send slowly, or never send what they announce, do not keep out small requests.
 */
export function createAdmission (maxRows: number, maxBytes: number): Admission {
  const total = { rows: 0, bytes: 0, arriving: 0 }
  const isFull = (): boolean => total.rows >= maxRows || total.bytes >= maxBytes

  class Account implements Reservation {
    private rows = 0
    private bytes = 0
    private arriving = 0
    private works = 0
    private over = false

    constructor (body: number) {
      this.add(body)
      this.arriving = body > SMALL_BODY ? body : 0
      total.arriving += this.arriving
    }

    arrived (): void {
      total.arriving -= this.arriving
      this.arriving = 0
    }

    hold (bytes: number): void {
      this.checkOpen()
      if (total.bytes > this.bytes && total.bytes + bytes > maxBytes) throw overloaded(total)
      this.add(bytes)
    }

    enter (rows: number): void {
      this.checkOpen()
      if (total.rows > this.rows && total.rows + rows > maxRows) throw overloaded(total)
      this.rows += rows
      total.rows += rows
    }

    leave (rows: number): void {
      this.rows -= rows
      total.rows -= rows
      this.settle()
    }

    keepFor (work: Promise<unknown>): void {
      const settled = (): void => {
        this.works--
        this.settle()
      }
      this.works++
      work.then(settled, settled)
    }

    release (): void {
      this.over = true
      this.arrived()
      this.settle()
    }

    private checkOpen (): void {
      if (this.over) throw new InputError('gone', { path: '', message: 'the request is over' })
    }

    private add (bytes: number): void {
      this.bytes += bytes
      total.bytes += bytes
    }

    private settle (): void {
      if (this.over && this.rows === 0 && this.works === 0) this.add(-this.bytes)
    }
  }

  return {
    get rows () { return total.rows },
    get bytes () { return total.bytes },
    get full () { return isFull() },
    reserve (body = 0) {
      const tooMuch = total.bytes > 0 && total.bytes + body > maxBytes
      const tooSlow = body > SMALL_BODY && total.arriving > 0 && total.arriving + body > maxBytes / 2
      if (isFull() || tooMuch || tooSlow) throw overloaded(total)
      return new Account(body)
    }
  }
}

function overloaded ({ rows, bytes }: { readonly rows: number, readonly bytes: number }): InputError {
  return new InputError('unavailable', { path: '', message: `overloaded: ${rows} rows and ${bytes} bytes are in progress; try again shortly` })
}
