/** How many numbers of a vector are shown. */
const SHOWN = 4

/** The first numbers of a vector, formatted for reading. */
export function showNumbers (numbers: Float32Array): string {
  return `[${[...numbers.subarray(0, SHOWN)].map((value) => value.toFixed(6)).join(', ')}${numbers.length > SHOWN ? ', ...' : ''}]`
}
