import { InputError, type ErrorKind, type FieldError } from '../errors.ts'
import { answerQuestions, createThread } from '../thread.ts'
import type { Hold } from './tensor-paths.ts'

/** A thread that reads bodies. */
export interface BodyThread<Asked, Value> {
  /**
   * @returns the body as well: its memory went to the thread and back, and `body` itself no longer has any.
   * @throws InputError as the reader in the thread does, and before reading if the request has ended or exceeds the limits; Error if the thread ends.
   */
  read (body: Buffer, asked: Asked, hold: Hold): Promise<BodyRead<Value>>
  close (): Promise<void>
}

export interface BodyRead<Value> {
  readonly value: Value
  readonly body: Buffer
}

interface Question<Asked> {
  readonly bytes: Uint8Array
  readonly asked: Asked
}

/** The value, how many bytes count for it, and the body's memory; or what is wrong. */
type Answer<Value> = {
  readonly value: Value
  readonly held: number
  readonly bytes: Uint8Array
} | { readonly kind: ErrorKind, readonly errors: readonly FieldError[] }

/** Runs one task after the other. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/** @param name the thread's module, next to the one at the URL `base`; it calls `answerBodies`. */
export function createBodyThread<Asked, Value> (name: string, base: string, inTurn: InTurn): BodyThread<Asked, Value> {
  const thread = createThread<Question<Asked>, Answer<Value>>(name, base)
  return {
    read: async (body, asked, hold) => await inTurn(async () => {
      // The body of a request that has ended is not read.
      hold(0)
      const answer = await thread.ask({ bytes: ownMemory(body), asked })
      if ('kind' in answer) throw new InputError(answer.kind, answer.errors)
      hold(answer.held)
      return { value: answer.value, body: bufferOf(answer.bytes) }
    }),
    close: thread.close
  }
}

/** In the thread: reads each body. @param read counts the bytes that it allocates, without knowing whether they exceed the limits. */
export function answerBodies<Asked, Value> (read: (body: Buffer, asked: Asked, hold: Hold) => Value): void {
  answerQuestions<Question<Asked>, Answer<Value>>(({ bytes, asked }) => {
    let held = 0
    try {
      const value = read(bufferOf(bytes), asked, (more) => { held += more })
      return { value, held, bytes }
    } catch (error) {
      if (error instanceof InputError) return { kind: error.kind, errors: error.errors }
      throw error
    }
  })
}

export function createTurns (): InTurn {
  let last: Promise<void> = Promise.resolve()
  return async (work) => {
    const done = last.then(work)
    last = done.then(() => {}, () => {})
    return await done
  }
}

/** Returns a body whose memory can go to a thread, because it contains nothing else. */
function ownMemory (body: Buffer): Uint8Array {
  return body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)
}

function bufferOf ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
