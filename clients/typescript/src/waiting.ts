/** A signal that aborts with the caller's signal, or when the time has run out. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  readonly at: number
  /** Call this once nothing waits for the deadline. */
  release (): void
}

export function deadlineOf (seconds: number, caller: AbortSignal | undefined): Deadline {
  const controller = new AbortController()
  const abort = (): void => controller.abort(caller?.reason)
  if (caller?.aborted === true) abort()
  caller?.addEventListener('abort', abort)
  const timer = setTimeout(() => controller.abort(new DOMException(`no answer within ${seconds} seconds`, 'TimeoutError')), seconds * 1000)
  return {
    signal: controller.signal,
    at: Date.now() + seconds * 1000,
    release () {
      clearTimeout(timer)
      caller?.removeEventListener('abort', abort)
    }
  }
}

/** Settles like the promise, or rejects with the signal's reason if that comes first. */
export async function unlessAborted<T> (promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  let abort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

const FIRST = 100
const LONGEST = 5000

/**
 * Milliseconds to wait before another attempt: doubled each time, with jitter so that clients do not retry together.
 *
 * @param least the seconds that the service asks to wait.
 */
export function pauseBefore (attempt: number, least = 0): number {
  return least * 1000 + Math.min(LONGEST, FIRST * 2 ** attempt) * (0.5 + Math.random() / 2)
}

export async function sleep (milliseconds: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await unlessAborted(new Promise<void>((resolve) => { timer = setTimeout(resolve, milliseconds) }), signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Runs calls one after the other, in order of arrival. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  async take<T> (call: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(call)
    this.#last = turn.catch(() => {})
    return await turn
  }
}
