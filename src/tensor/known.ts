/** The longest header that is worth remembering, in bytes. */
export const MAX_KNOWN_BYTES = 1024

const MAX_KNOWN = 256
/** Numbers up to this one are not heap objects. */
const SMALL = 2 ** 30 - 1

/**
 * Remembers what was made for headers: clients send the same few again and again. It finds entries by a number, because a string key
 * would have to be built and hashed for every request.
 */
export class Known<T> {
  readonly #made = new Map<number, T[]>()
  #count = 0

  /** Everything added under these two numbers, and maybe under others: the caller looks for its own entry. */
  under (a: number, b: number): readonly T[] {
    return this.#made.get(keyOf(a, b)) ?? []
  }

  /** Adds an entry. Forgets all others if there are too many. */
  add (a: number, b: number, made: T): void {
    if (this.#count >= MAX_KNOWN) {
      this.#made.clear()
      this.#count = 0
    }
    this.#count++
    const key = keyOf(a, b)
    const others = this.#made.get(key)
    if (others === undefined) this.#made.set(key, [made])
    else others.push(made)
  }
}

function keyOf (a: number, b: number): number {
  return (31 * a + b) & SMALL
}
