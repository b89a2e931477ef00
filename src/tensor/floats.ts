/** How many bytes short arrays share, and how many of them one may take. */
const SHARED = 2 ** 14
const SHORT = SHARED / 4

let shared = new ArrayBuffer(SHARED)
let taken = 0

/**
 * An array of zeros, for as long as a request. Short ones are views of memory that they share: memory of its own takes an array ten times
 * as long to make, and to collect. Whoever keeps one for longer keeps a copy, because it keeps the memory of the others as well.
 */
export function zeros (length: number): Float32Array<ArrayBuffer> {
  const bytes = length * Float32Array.BYTES_PER_ELEMENT
  if (bytes > SHORT) return new Float32Array(length)
  if (taken + bytes > SHARED) {
    shared = new ArrayBuffer(SHARED)
    taken = 0
  }
  const array = new Float32Array(shared, taken, length)
  taken += bytes
  return array
}

/** A copy, for as long as a request. */
export function copyOf (numbers: Float32Array): Float32Array<ArrayBuffer> {
  const copy = zeros(numbers.length)
  copy.set(numbers)
  return copy
}
