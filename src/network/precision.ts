/**
 * How the matrices `[out, in]` of cells and linear layers are held: as float32, or rounded to bfloat16 or to 8-bit integers.
 * Biases, embeddings and the `v` of an additive score are always float32.
 */
export const PRECISIONS = ['f32', 'bf16', 'int8'] as const
export type Precision = typeof PRECISIONS[number]

/** The bytes of a matrix. An int8 one has a float32 scale for each row. */
export function matrixBytes (precision: Precision, rows: number, columns: number): number {
  switch (precision) {
    case 'f32': return rows * columns * 4
    case 'bf16': return rows * columns * 2
    case 'int8': return rows * (columns + 4)
  }
}

/** A matrix as a precision holds it: it stands for `scale[row] * values[row][column]`. */
export interface Rounded {
  /** The rounded values, exactly, as float32. */
  readonly values: Float32Array
  /** The scale of each row, for int8. */
  readonly scales?: Float32Array
}

/** Rounds a row-major matrix as the native engine does: see native/kernel/weights.cc. */
export function roundMatrix (precision: Precision, matrix: Float32Array, rows: number): Rounded {
  switch (precision) {
    case 'f32': return { values: matrix }
    case 'bf16': return { values: roundToBfloat16(matrix) }
    case 'int8': return roundToIntegers(matrix, rows)
  }
}

/** Rounds to the nearest finite value, ties to even. */
function roundToBfloat16 (matrix: Float32Array): Float32Array {
  const values = matrix.slice()
  const bits = new Uint32Array(values.buffer)
  for (let i = 0; i < bits.length; i++) {
    const rounded = (bits[i] + 0x7fff + (bits[i] >>> 16 & 1)) & 0xffff0000
    bits[i] = (rounded & 0x7fffffff) === INFINITY ? rounded - LAST : rounded
  }
  return values
}

/** The bits of infinity, and the lowest bit of a bfloat16. */
const INFINITY = 0x7f800000
const LAST = 0x10000

/** Scales each row so that its largest magnitude becomes 127, and rounds to nearest, ties to even. */
function roundToIntegers (matrix: Float32Array, rows: number): Required<Rounded> {
  const values = new Float32Array(matrix.length)
  const scales = new Float32Array(rows)
  const columns = matrix.length / rows
  for (let row = 0; row < rows; row++) {
    const from = row * columns
    let largest = 0
    for (let i = from; i < from + columns; i++) largest = Math.max(largest, Math.abs(matrix[i]))
    scales[row] = largest / 127
    const scale = scales[row]
    if (scale === 0) continue
    for (let i = from; i < from + columns; i++) values[i] = toInteger(Math.min(Math.max(matrix[i] / scale, -127), 127))
  }
  return { values, scales }
}

/** Adding 1.5 * 2^52 leaves no bits for a fraction. */
function toInteger (value: number): number {
  return value + 0x18000000000000 - 0x18000000000000
}
