import { ConfigError } from '../config/config-error.ts'
import { InputError, messageOf, type ErrorKind, type FieldError } from '../errors.ts'

/** The functions that another process can call, by name. */
export type Calls<C> = { readonly [K in keyof C]: (...args: never[]) => unknown }

/** The other end of a channel. */
export interface Caller<C extends Calls<C>> {
  /** @throws what the other process threw, or Ended if it has ended. */
  call<K extends keyof C & string> (name: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>>
  /** Fails all calls, open and future, with Ended. */
  end (): void
}

/** One end of the pipe between a process and its child. */
export interface Pipe {
  /** @returns whether the other end is still connected. */
  send (message: object): boolean
  listen (listener: (message: unknown) => void): void
}

/** The other process has ended without completing the call. */
export class Ended extends Error {
  override readonly name = 'Ended'
  override readonly message = 'the process has ended'
}

type Message =
  | { readonly ask: number, readonly name: string, readonly args: never[] }
  | { readonly answers: number, readonly value: unknown }
  | { readonly answers: number, readonly error: Thrown }

interface Thrown {
  readonly message: string
  readonly config: boolean
  readonly kind?: ErrorKind
  readonly errors?: readonly FieldError[]
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Creates a channel that calls another process, and is called by it.
 *
 * @param own the functions that the other process can call.
 */
export function createChannel<Own extends Calls<Own>, Other extends Calls<Other>> (pipe: Pipe, own: Own): Caller<Other> {
  const waiting = new Map<number, Waiting>()
  const handlers = new Map<string, (...args: never[]) => unknown>(Object.entries(own))
  let asked = 0
  let ended = false

  async function answer (ask: number, name: string, args: never[]): Promise<void> {
    try {
      const handler = handlers.get(name)
      if (handler === undefined) throw new Error(`nothing is known of ${name}`)
      pipe.send({ answers: ask, value: await handler(...args) })
    } catch (error) {
      pipe.send({ answers: ask, error: thrownOf(error) })
    }
  }

  pipe.listen((received) => {
    const message: Message = Object(received)
    if ('ask' in message) {
      void answer(message.ask, message.name, message.args)
    } else if ('answers' in message) {
      const call = waiting.get(message.answers)
      waiting.delete(message.answers)
      if ('error' in message) call?.reject(errorOf(message.error))
      else call?.resolve(message.value)
    }
  })

  return {
    async call (name, ...args) {
      return Object(await new Promise((resolve, reject) => {
        const ask = asked++
        waiting.set(ask, { resolve: (value) => resolve({ value }), reject })
        if (!ended && pipe.send({ ask, name, args })) return
        waiting.delete(ask)
        reject(new Ended())
      })).value
    },
    end () {
      ended = true
      for (const { reject } of waiting.values()) reject(new Ended())
      waiting.clear()
    }
  }
}

function thrownOf (error: unknown): Thrown {
  return {
    message: messageOf(error),
    config: error instanceof ConfigError,
    ...(error instanceof InputError && { kind: error.kind, errors: error.errors })
  }
}

function errorOf ({ message, config, kind, errors }: Thrown): Error {
  if (kind !== undefined && errors !== undefined) return new InputError(kind, errors)
  return config ? new ConfigError(message) : new Error(message)
}
