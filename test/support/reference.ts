import { createCell, type Cell } from '../../src/network/cell.ts'
import type { Layers } from '../../src/network/layers.ts'

/** One step of one row by the equations, in double precision: every engine is compared with this. */
export function referenceStep (cell: Cell, x: ArrayLike<number>, hIn: ArrayLike<number>, cIn: ArrayLike<number>): { h: number[], c: number[] } {
  const { I, Hi, Ho } = cell.sizes
  const gate = (row: number): number => {
    let sum = cell.biasIh[row] + cell.biasHh[row]
    for (let k = 0; k < I; k++) sum += cell.weightIh[row * I + k] * x[k]
    for (let k = 0; k < Hi; k++) sum += cell.weightHh[row * Hi + k] * hIn[k]
    return sum
  }
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
  const h: number[] = []
  const c: number[] = []
  for (let j = 0; j < Ho; j++) {
    c[j] = sigmoid(gate(Ho + j)) * cIn[j] + sigmoid(gate(j)) * Math.tanh(gate(2 * Ho + j))
    h[j] = sigmoid(gate(3 * Ho + j)) * Math.tanh(c[j])
  }
  return { h, c }
}

/** A cell with weights drawn as PyTorch initializes them, the same for the same seed. */
export function randomCell (I: number, Hi: number, Ho: number, seed = 1): Cell {
  const random = randomNumbers(seed)
  const weights = (length: number, fan: number): Float32Array => Float32Array.from({ length }, () => random() / Math.sqrt(fan))
  return createCell({
    sizes: { I, Hi, Ho },
    weightIh: weights(4 * Ho * I, I),
    weightHh: weights(4 * Ho * Hi, Hi),
    biasIh: weights(4 * Ho, I),
    biasHh: weights(4 * Ho, Hi)
  })
}

/** A file's only cell. */
export function bareLayers (cell: Cell): Layers {
  return { kind: cell.kind, nodes: [[{ cell }]] }
}

/** Numbers between -1 and 1 (a linear congruential generator: quality does not matter, repetition does). */
export function randomNumbers (seed: number): () => number {
  let state = BigInt(seed) * 2654435761n + 1n
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % (1n << 64n)
    return Number(state >> 33n) / 2 ** 30 - 1
  }
}

export function randomArray (length: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, random)
}
