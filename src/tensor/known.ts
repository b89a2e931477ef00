/** Longer texts are not worth remembering, in bytes. */
export const MAX_KNOWN_BYTES = 1024

const MAX_KNOWN = 256

/** Remembers what was made from texts: clients send the same few headers again and again. */
export class Known<T> {
  readonly #made = new Map<string, T>()

  get (text: string): T | undefined {
    return this.#made.get(text)
  }

  /** Forgets all others if there are too many. */
  add (text: string, made: T): void {
    if (this.#made.size >= MAX_KNOWN) this.#made.clear()
    this.#made.set(text, made)
  }
}
