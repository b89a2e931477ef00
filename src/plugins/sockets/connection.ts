import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { InputError } from '../../errors.ts'
import type { Call, Reservation } from '../../model/call.ts'

/** A complete frame. */
export interface Frame {
  readonly data: Buffer
  readonly binary: boolean
}

/** The answer to a frame: bytes, or a text in pieces. */
export type FrameAnswer = Uint8Array | Iterable<string>

/** The code that interprets the frames of a connection. */
export interface Conversation {
  /** @throws InputError, which is sent in place of the answer. */
  answer (frame: Frame, call: Call): Promise<FrameAnswer>
  /** Called when no more frames arrive and none is in progress. */
  end (): void
}

/** The callbacks and limits of a connection. */
export interface Surroundings {
  reserve (body: number): Reservation
  /** The text that reports a failed frame, its status, and why the connection closes, if the failure closes it. */
  refuse (error: unknown): { readonly text: string, readonly status: number, readonly close?: { readonly code: number, readonly reason: string } | undefined }
  /** A frame has been answered. */
  answered (status: number, seconds: number): void
  /** Milliseconds in which a frame must be answered. */
  readonly timeout: number
  /** Milliseconds without a frame after which the connection is closed. */
  readonly idle: number
  /** Milliseconds of silence after which the peer is pinged; after as many again the connection is cut. */
  readonly ping: number
}

/** What a connection has done, for the log. */
export interface Tally {
  frames: number
  received: number
  sent: number
}

/** A frame that waits for its turn. If its reservation failed, the frame is refused with that error. */
interface Waiting {
  readonly frame: Frame
  readonly arrived: number
  readonly reservation: Reservation | InputError
}

/** The bytes that a frame, or each piece of an arriving one, takes in addition to its content. */
const FRAME_BYTES = 256
/** How many bytes of an arriving frame are not counted: the reservation of each connection includes them. */
export const SLACK = 2 ** 14
/** The most bytes that may wait for the peer to read; beyond that, the next answer waits. */
const MAX_UNREAD = 2 ** 16
/** How long after its deadline an answer may still be read, in milliseconds. */
const LAST_READ = 5000
/** The most frames that are handled before other work has its turn. */
const FRAMES_AT_ONCE = 16

/**
 * One WebSocket. Its frames are answered one at a time, in order of arrival. While a frame waits, or the peer does not read its
 * answers, nothing more is read from the peer.
 */
export class Connection {
  readonly tally: Tally = { frames: 0, received: 0, sent: 0 }
  readonly #socket: WebSocket
  readonly #conversation: Conversation
  readonly #around: Surroundings
  readonly #waiting: Waiting[] = []
  #busy = false
  #over = false
  /** Why it closes once the frame in progress is answered. */
  #closing: { readonly code: number, readonly reason: string } | undefined
  /** The call of the frame in progress. */
  #call: Call | undefined
  /** Bytes of an incomplete frame, bytes of the complete ones that the latest data ended, and what is reserved for the former. */
  #pending = 0
  #whole = 0
  #arriving: { readonly reservation: Reservation, bytes: number } | undefined
  /** By the clock of `performance.now()`: the last frame, the last sign of life, the last ping, and the deadline for the peer to read. */
  #asked = performance.now()
  #heard = performance.now()
  #pinged = 0
  #readBy = Infinity
  /** Callbacks that wait until nothing is left to send. */
  #afterSent: Array<() => void> = []
  // An error here means that the connection is gone, which its close event reports.
  readonly #written = (): void => { if (this.#socket.bufferedAmount === 0) this.#sent() }

  constructor (socket: WebSocket, raw: Socket, conversation: Conversation, around: Surroundings) {
    this.#socket = socket
    this.#conversation = conversation
    this.#around = around
    socket.on('message', (data: Buffer, binary) => { this.#take({ data, binary }) })
    const alive = (): void => { this.#heard = performance.now() }
    socket.on('pong', alive)
    socket.on('ping', alive)
    socket.once('close', () => { this.#finish() })
    // Runs after the listener that turns the data into frames.
    raw.on('data', (chunk: Buffer) => { this.#count(chunk.length) })
  }

  /** Closes once the frame in progress is answered. Frames that wait are not answered. */
  close (code: number, reason: string): void {
    this.#closing ??= { code, reason }
    if (!this.#busy) this.#closeNow()
  }

  /** Checks the timeouts. */
  check (now: number): void {
    if (now > this.#readBy) this.#socket.terminate()
    if (this.#busy || this.#over) return
    const { idle, ping } = this.#around
    if (now - this.#asked > idle) {
      this.close(1001, `no frame in ${idle / 1000} seconds`)
      return
    }
    if (this.#pinged > this.#heard) {
      if (now - this.#pinged > ping) this.#socket.terminate()
    } else if (now - this.#heard > ping) {
      this.#pinged = now
      this.#socket.ping()
    }
  }

  #take (frame: Frame): void {
    this.#whole += frame.data.length + 1
    if (this.#over || this.#closing !== undefined) return
    const now = performance.now()
    this.#heard = now
    this.#asked = now
    this.tally.frames++
    this.tally.received += frame.data.length
    this.#waiting.push({ frame, arrived: now, reservation: this.#reserve(frame.data.length) })
    // While a peer waits for a single answer, the socket is still read, so that a disconnect is noticed.
    if (this.#busy) this.#socket.pause()
    else void this.#work()
  }

  #reserve (bytes: number): Reservation | InputError {
    try {
      return this.#around.reserve(bytes + FRAME_BYTES)
    } catch (error) {
      if (error instanceof InputError) return error
      throw error
    }
  }

  /** Counts the bytes of a frame that have arrived. If they exceed the limits, the connection is closed. */
  #count (bytes: number): void {
    this.#pending += bytes + FRAME_BYTES
    if (this.#whole > 0) {
      // The bytes after the end of a frame may be the head of the next one.
      const rest = this.#pending - this.#whole - FRAME_BYTES
      this.#pending = rest > SLACK ? rest : 0
      this.#whole = 0
      this.#arriving?.reservation.release()
      this.#arriving = undefined
    }
    if (this.#pending <= SLACK || this.#over) return
    try {
      this.#arriving ??= { reservation: this.#around.reserve(0), bytes: 0 }
      this.#arriving.reservation.hold(this.#pending - this.#arriving.bytes)
      this.#arriving.bytes = this.#pending
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      this.#closing ??= { code: 1013, reason: 'overloaded; try again shortly' }
      this.#closeNow()
      // The rest of the frame is not read either.
      this.#socket.pause()
    }
  }

  async #work (): Promise<void> {
    this.#busy = true
    for (let done = 1; this.#closing === undefined; done++) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      await this.#answer(next)
      if (done % FRAMES_AT_ONCE === 0) await setImmediate()
    }
    this.#busy = false
    if (this.#over) this.#conversation.end()
    else if (this.#closing !== undefined) this.#closeNow()
    else if (this.#socket.isPaused) this.#socket.resume()
  }

  async #answer ({ frame, arrived, reservation }: Waiting): Promise<void> {
    const { timeout, refuse, answered } = this.#around
    const deadline = arrived + timeout
    let status = 200
    try {
      if (reservation instanceof InputError) throw reservation
      this.#call = { deadline, cancelled: this.#over, reservation }
      await this.#send(await this.#conversation.answer(frame, this.#call), deadline)
    } catch (error) {
      const { text, status: refused, close } = refuse(error)
      status = refused
      await this.#send([text], deadline)
      if (close !== undefined) this.close(close.code, close.reason)
    } finally {
      this.#call = undefined
      if (!(reservation instanceof InputError)) this.#onceSent(() => reservation.release())
    }
    answered(status, (performance.now() - arrived) / 1000)
  }

  async #send (answer: FrameAnswer, deadline: number): Promise<void> {
    this.#readBy = deadline + LAST_READ
    if (answer instanceof Uint8Array) {
      this.#write(answer, true)
    } else {
      const pieces = answer[Symbol.iterator]()
      for (let piece = pieces.next(); piece.done !== true;) {
        const next = pieces.next()
        this.#write(piece.value, next.done === true)
        if (next.done !== true) await setImmediate()
        if (this.#socket.bufferedAmount > MAX_UNREAD) await this.#read()
        piece = next
      }
    }
    if (this.#socket.bufferedAmount > MAX_UNREAD) await this.#read()
    this.#readBy = Infinity
  }

  #write (data: Uint8Array | string, fin: boolean): void {
    this.tally.sent += data.length
    this.#socket.send(data, { binary: data instanceof Uint8Array, fin }, this.#written)
  }

  /** Waits until the peer has read everything, or the connection is cut. */
  async #read (): Promise<void> {
    await new Promise<void>((resolve) => { this.#onceSent(resolve) })
  }

  #onceSent (then: () => void): void {
    if (this.#over || this.#socket.bufferedAmount === 0) then()
    else this.#afterSent.push(then)
  }

  #sent (): void {
    for (const then of this.#afterSent.splice(0)) then()
  }

  #closeNow (): void {
    if (this.#closing === undefined || this.#socket.readyState !== this.#socket.OPEN) return
    // Otherwise the peer's own close would not be read.
    this.#socket.resume()
    this.#socket.close(this.#closing.code, this.#closing.reason)
  }

  #finish (): void {
    this.#over = true
    if (this.#call !== undefined) this.#call.cancelled = true
    for (const { reservation } of this.#waiting.splice(0)) if (!(reservation instanceof InputError)) reservation.release()
    this.#arriving?.reservation.release()
    this.#arriving = undefined
    this.#sent()
    if (!this.#busy) this.#conversation.end()
  }
}
