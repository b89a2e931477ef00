/** Work that can pause wherever it yields. */
export type Work<T> = Generator<undefined, T>

/**
 * Does work without holding the page up: after some milliseconds it lets others have their turn.
 *
 * @throws the signal's reason if it is aborted meanwhile.
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
