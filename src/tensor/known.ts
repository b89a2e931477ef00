/** Longer headers are not worth remembering, in bytes. */
export const MAX_KNOWN_BYTES = 1024

const MAX_KNOWN = 256
/** Numbers up to here are no objects. */
const SMALL = 2 ** 30 - 1

/**
 * Remembers what was made for headers: clients send the same few again and again. It finds them by a number, because the key of a
 * map by strings would have to be made and hashed for every request.
 */
export class Known<T> {
  readonly #made = new Map<number, T[]>()
  #count = 0

  /** All that was made under these two numbers, and maybe under others: the caller looks for its own among them. */
  under (a: number, b: number): readonly T[] {
    return this.#made.get(keyOf(a, b)) ?? []
  }

  /** Forgets all others if there are too many. */
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
