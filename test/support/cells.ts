import assert from 'node:assert/strict'
import { createCell, type Cell, type CellSizes } from '../../src/network/cell.ts'
import type { Batch, LinearFeedback, Run, Stepper } from '../../src/engine/engine.ts'
import { nativeKernels } from '../../src/engine/native.ts'

/** Why tests of the native engine are skipped, or false if its addon is built. */
export const withoutAddon: string | false = reasonToSkip()

function reasonToSkip (): string | false {
  try {
    nativeKernels()
    return false
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Mulberry32: the same numbers in every run. */
export function createRandom (seed: number): () => number {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Numbers in [-scale, scale). */
export function randomFloats (length: number, random: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => (random() * 2 - 1) * scale)
}

/** Weights like those of a trained cell: about 1 / sqrt(terms). */
export function randomCell (sizes: CellSizes, random: () => number): Cell {
  const { I, Hi, Ho } = sizes
  const scale = Math.sqrt(3 / (I + Hi))
  return createCell({
    sizes,
    weightIh: randomFloats(4 * Ho * I, random, scale),
    weightHh: randomFloats(4 * Ho * Hi, random, scale),
    biasIh: randomFloats(4 * Ho, random, 0.5),
    biasHh: randomFloats(4 * Ho, random, 0.5)
  })
}

export function randomBatch ({ I, Hi, Ho }: CellSizes, rows: number, random: () => number): Batch {
  return {
    rows,
    x: randomFloats(rows * I, random),
    hIn: randomFloats(rows * Hi, random),
    cIn: randomFloats(rows * Ho, random),
    hOut: new Float32Array(rows * Ho).fill(NaN),
    cOut: new Float32Array(rows * Ho).fill(NaN)
  }
}

/** Some rows of a batch, with their own outputs. */
export function rowsOf (batch: Batch, { I, Hi, Ho }: CellSizes, from: number, to: number): Batch {
  return {
    rows: to - from,
    x: batch.x.slice(from * I, to * I),
    hIn: batch.hIn.slice(from * Hi, to * Hi),
    cIn: batch.cIn.slice(from * Ho, to * Ho),
    hOut: new Float32Array((to - from) * Ho),
    cOut: new Float32Array((to - from) * Ho)
  }
}

/** The step in double precision, written as in textbooks. */
export function referenceStep (cell: Cell, batch: Batch): { h: Float64Array, c: Float64Array } {
  const { sizes: { I, Hi, Ho }, weightIh, weightHh, biasIh, biasHh } = cell
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
  const h = new Float64Array(batch.rows * Ho)
  const c = new Float64Array(batch.rows * Ho)
  for (let b = 0; b < batch.rows; b++) {
    for (let j = 0; j < Ho; j++) {
      const [i, f, g, o] = [j, Ho + j, 2 * Ho + j, 3 * Ho + j].map((gate) => {
        let sum = biasIh[gate] + biasHh[gate]
        for (let k = 0; k < I; k++) sum += weightIh[gate * I + k] * batch.x[b * I + k]
        for (let k = 0; k < Hi; k++) sum += weightHh[gate * Hi + k] * batch.hIn[b * Hi + k]
        return sum
      })
      const at = b * Ho + j
      c[at] = sigmoid(f) * batch.cIn[at] + sigmoid(i) * Math.tanh(g)
      h[at] = sigmoid(o) * Math.tanh(c[at])
    }
  }
  return { h, c }
}

/** What a run promises: the same as single steps, with the feedback computed in between. */
export async function runBySteps (stepper: Stepper, { I, Hi, Ho }: CellSizes, run: Run): Promise<void> {
  const { steps, rows, sameX } = run
  let hIn = run.hIn
  for (let t = 0; t < steps; t++) {
    const x = sameX ? run.x : run.x.subarray(t * rows * I, (t + 1) * rows * I)
    const hOut = run.output.subarray(t * rows * Ho, (t + 1) * rows * Ho)
    const cOut = new Float32Array(rows * Ho)
    await stepper.step({ rows, x, hIn, cIn: run.c, hOut, cOut })
    run.c.set(cOut)
    if (t + 1 < steps) hIn = nextInput(run.feedback, t, rows, Hi, Ho, hOut)
  }
}

function nextInput (feedback: LinearFeedback, t: number, rows: number, Hi: number, Ho: number, h: Float32Array): Float32Array {
  const { repeat, vectors, projection } = feedback
  const hIn = new Float32Array(rows * Hi)
  const D = Hi - repeat * Ho
  for (let b = 0; b < rows; b++) {
    const own = h.subarray(b * Ho, (b + 1) * Ho)
    if (projection !== undefined) {
      for (let i = 0; i < Hi; i++) {
        let sum = projection.bias[i]
        for (let j = 0; j < Ho; j++) sum += projection.weight[i * Ho + j] * own[j]
        hIn[b * Hi + i] = sum
      }
      continue
    }
    for (let n = 0; n < repeat; n++) hIn.set(own, b * Hi + n * Ho)
    if (vectors !== undefined) {
      const at = ((vectors.perStep ? t * rows : 0) + b) * D
      hIn.set(vectors.data.subarray(at, at + D), b * Hi + repeat * Ho)
    }
  }
  return hIn
}

/** Equality of bits, so 0 differs from -0. */
export function assertSameBits (actual: Float32Array, expected: Float32Array, message: string): void {
  assert.equal(actual.length, expected.length, message)
  const a = new Uint32Array(actual.buffer, actual.byteOffset, actual.length)
  const e = new Uint32Array(expected.buffer, expected.byteOffset, expected.length)
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== e[i]) assert.fail(`${message}: element ${i} is ${actual[i]}, not ${expected[i]}`)
  }
}
