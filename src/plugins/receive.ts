import type { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { errorCodes, type FastifyRequest } from 'fastify'
import { InputError } from '../errors.ts'
import type { Hold } from '../wire/tensor-paths.ts'
import { HttpError } from './errors.ts'

/** Receives a complete body, or an error: it exceeds the limits, is too long or in an unsupported coding, or its sender has disconnected. */
export type Received = (error: Error | null, body: Buffer) => void

export interface ReceiveOptions {
  /** Content codings that are accepted in addition to none. A coded body is bounded and counted as it is decoded. */
  readonly codings?: Readonly<Record<string, () => Readable & NodeJS.WritableStream>>
  /** How many bytes precede the data that must begin at a multiple of four, given the first bytes of the body. */
  readonly ahead?: (first: Buffer) => number
}

/** The HTTP content codings that zlib decodes. */
export const ZLIB_CODINGS = { gzip: createGunzip, deflate: createInflate }

const EMPTY: Buffer = Buffer.alloc(0)
/** How many bytes of a body are read in one turn of the event loop: Node.js would read two million while all others wait. */
const GULP = 2 ** 18

/**
 * Receives a body.
 *
 * @param done called once.
 */
export function receive ({ raw, headers, routeOptions: { bodyLimit } }: FastifyRequest, hold: Hold, done: Received, { codings = {}, ahead = () => 0 }: ReceiveOptions = {}): void {
  const { 'content-encoding': encoding = 'identity', 'content-length': length } = headers
  const coding = encoding.toLowerCase()
  if (coding !== 'identity' && !Object.hasOwn(codings, coding)) {
    const known = Object.keys(codings)
    done(new HttpError(415, `expected a body ${known.length === 0 ? 'without a content-encoding' : `in ${known.join(', ')} or no content-encoding`}, got ${JSON.stringify(encoding)}`), EMPTY)
    return
  }
  const announced = coding === 'identity' ? length : undefined
  const most = Number(announced ?? bodyLimit)
  if (Number(length ?? 0) > bodyLimit) {
    done(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE(), EMPTY)
    return
  }
  const decoder = coding === 'identity' ? undefined : codings[coding]()
  const source: Readable = decoder ?? raw
  let skip = 0
  const allocate = (size: number): Buffer => Buffer.allocUnsafe(size + skip).subarray(skip)
  let body = EMPTY
  let received = 0
  /** Bytes received since the last turn of the event loop. */
  let swallowed = 0
  let settled = false

  function onData (chunk: Buffer): void {
    try {
      if (announced === undefined) hold(chunk.length)
      if (received + chunk.length > most) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
    } catch (error) {
      settle(errorOf(error))
      return
    }
    if (chunk.length === most) {
      // Most bodies are small and arrive in one piece.
      body = chunk
      received = most
      return
    }
    if (received === 0) skip = (4 - ahead(chunk) % 4) % 4
    if (received + chunk.length > body.length) body = grown(body, received, announced === undefined ? Math.min(Math.max(2 * received, received + chunk.length), most) : most, allocate)
    received += chunk.copy(body, received)
    swallowed += chunk.length
    if (swallowed < GULP || received === most) return
    swallowed = 0
    source.pause()
    setImmediate(resume)
  }
  const resume = (): void => { source.resume() }
  const onEnd = (): void => settle(null)
  const onGone = (): void => settle(new InputError('gone', { path: '', message: 'the body ended early' }))
  const onDamage = (error: Error): void => settle(new InputError('malformed', { path: '', message: `the body is not ${coding}: ${error.message}` }))
  function settle (error: Error | null): void {
    if (settled) return
    settled = true
    // Without an error the body has ended, so no more data arrives.
    if (error !== null) source.off('data', onData)
    if (decoder !== undefined) {
      raw.unpipe(decoder)
      // Nobody reads what it emits after this.
      decoder.off('error', onDamage).on('error', () => {}).destroy()
    }
    done(error, body.subarray(0, received))
  }
  source.on('data', onData).on('end', onEnd)
  // These listeners stay on the request: removing them costs more than their later calls, which `settle` ignores.
  raw.on('error', onGone)
  if (decoder !== undefined) raw.pipe(decoder.on('error', onDamage))
}

/**
 * Copies the first bytes of a body to a larger buffer. A body of announced length gets its whole buffer at once: copying a large
 * body as it grows blocks the event loop for milliseconds, and the system allocates only the pages that are written.
 */
function grown (body: Buffer, length: number, size: number, allocate: (size: number) => Buffer): Buffer {
  const larger = allocate(size)
  body.copy(larger, 0, 0, length)
  return larger
}

export function errorOf (error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
