/** Work that can pause wherever it yields. */
export type Work<T> = Generator<undefined, T>

/**
 * Does work without blocking the page: every few milliseconds it yields to the event loop.
 *
 * @throws the signal's reason if it is aborted in the meantime.
 */
export async function inSlices<T> (work: Work<T>, signal?: AbortSignal, milliseconds = 8): Promise<T> {
  for (;;) {
    const until = performance.now() + milliseconds
    do {
      const { done, value } = work.next()
      if (done === true) return value
    } while (performance.now() < until)
    await new Promise((resolve) => { setTimeout(resolve) })
    signal?.throwIfAborted()
  }
}
