/** How many bytes short arrays share, and how many of them one may take. */
const SHARED = 2 ** 14
const SHORT = SHARED / 4

let shared = new ArrayBuffer(SHARED)
let taken = 0

/**
 * Makes an array of zeros that lives no longer than a request. Short arrays are views of memory that they share, because an array with memory of
 * its own takes ten times as long to make, and to collect. If you keep one for longer, keep a copy: a view keeps the memory of all.
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

/** Makes a copy that lives no longer than a request. */
export function copyOf (numbers: Float32Array): Float32Array<ArrayBuffer> {
  const copy = zeros(numbers.length)
  copy.set(numbers)
  return copy
}
