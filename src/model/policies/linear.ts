import type { Feedback, LinearTerms } from './policy.ts'

/**
 * The feedback `[h, ..., h, v]`, or `P h + p`.
 *
 * @param steps how many steps the vectors reach, where they are one a step.
 */
export function linearFeedback (linear: LinearTerms, Ho: number, steps: number): Feedback {
  const { repeat, vectors, projection } = linear
  return {
    linear,
    knows: (t) => vectors?.perStep !== true || t < steps,
    next (row, t, h, hAt, hIn, hInAt) {
      if (projection !== undefined) {
        project(projection.weight, projection.bias, h, hAt, Ho, hIn, hInAt)
        return
      }
      let at = hInAt
      for (let n = 0; n < repeat; n++) {
        for (let j = 0; j < Ho; j++) hIn[at++] = h[hAt + j]
      }
      if (vectors !== undefined) {
        const from = vectors.offset(row, t)
        for (let j = 0; j < vectors.size; j++) hIn[at++] = vectors.data[from + j]
      }
    }
  }
}

/** `P h + p`: each sum in double precision, from the bias on in index order, rounded once; engines do just the same. */
function project (weight: Float32Array, bias: Float32Array, h: Float32Array, hAt: number, Ho: number, hIn: Float32Array, hInAt: number): void {
  for (let i = 0; i < bias.length; i++) {
    let sum = bias[i]
    const row = i * Ho
    for (let j = 0; j < Ho; j++) sum += weight[row + j] * h[hAt + j]
    hIn[hInAt + i] = sum
  }
}
