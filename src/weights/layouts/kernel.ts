/** How a file stores the weights of a cell, if not as `Cell` defines them. */
export interface Storage {
  /** For each gate in the order of `Cell`, its place among the stored gates. */
  readonly gates: readonly number[]
  /** Whether kernels are stored `[columns, rows]`. */
  readonly transposed: boolean
}

/** The storage of gates that are stored in one order and used in another. */
export function storageOf (used: string, stored: string, transposed: boolean): Storage {
  return { gates: [...used].map((gate) => stored.indexOf(gate)), transposed }
}

/**
 * Converts a kernel to the form of `Cell`: `[rows, columns]`, row-major, its gates in order. One that already has this form is
 * returned unchanged.
 */
export function arrangeKernel (stored: Float32Array, rows: number, { gates, transposed }: Storage): Float32Array {
  if (!transposed && gates.every((from, gate) => from === gate)) return stored
  const columns = stored.length / rows
  const size = rows / gates.length
  const kernel = new Float32Array(stored.length)
  gates.forEach((from, gate) => {
    for (let j = 0; j < size; j++) {
      const row = gate * size + j
      const source = from * size + j
      for (let k = 0; k < columns; k++) kernel[row * columns + k] = stored[transposed ? k * rows + source : source * columns + k]
    }
  })
  return kernel
}

/** The same for a bias, `[rows]`. */
export function arrangeBias (stored: Float32Array, { gates }: Storage): Float32Array {
  return arrangeKernel(stored, stored.length, { gates, transposed: false })
}
