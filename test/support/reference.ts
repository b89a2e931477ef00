import type { Cell } from '../../src/network/cell.ts'
import type { Layers } from '../../src/network/layers.ts'

/** One step of one row by the equations, in double precision. Every engine is compared with this. */
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

/** The layers of a file with only this cell. */
export function bareLayers (cell: Cell): Layers {
  return { kind: cell.kind, nodes: [[{ cell }]] }
}
