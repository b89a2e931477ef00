/** How many bytes short arrays share, and how many of them one may take. */
const SHARED = 2 ** 14
const SHORT = SHARED / 4

let shared = new ArrayBuffer(SHARED)
let taken = 0

/**
 * Makes an array of zeros that lives no longer than a request. Short arrays are views of shared memory, because an array with its own
 * memory takes ten times as long to create and to collect. To keep one for longer, keep a copy: a view keeps all of the memory alive.
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
