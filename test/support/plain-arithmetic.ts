import type { Arithmetic } from '../../src/engine/interpreter.ts'
import { createInterpreter } from '../../src/engine/interpreter.ts'
import { GATES } from '../../src/network/cell.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { heldMatrix } from './held.ts'

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
const relu = (v: number): number => Math.max(0, v)

function dot (a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0)
}

function softmax (scores: readonly number[]): number[] {
  const largest = Math.max(...scores)
  const powers = scores.map((score) => Math.exp(score - largest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

function logSoftmax (scores: readonly number[]): number[] {
  const largest = Math.max(...scores)
  const log = Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0))
  return scores.map((score) => score - largest - log)
}

/** `W v + b` for each row, in double precision: `[rows][out]`. */
function affine (weight: Float32Array, bias: Float32Array, rows: number, input: Float32Array): number[][] {
  const width = input.length / rows
  return Array.from({ length: rows }, (_, r) => Array.from(bias, (b, i) =>
    b + (width === 0 ? 0 : dot(weight.subarray(i * width, (i + 1) * width), input.subarray(r * width, (r + 1) * width)))))
}

const ACTIVATIONS = { none: (v: number) => v, tanh: Math.tanh, relu, sigmoid, softmax: (v: number) => v, log_softmax: (v: number) => v }

/** The textbook equations, in double precision. */
const ARITHMETIC: Arithmetic = {
  cell: ({ kind, activation, gate, sizes: { Ho }, weightIh, weightHh, biasIh, biasHh }, precision) => ({
    run (rows, x, hIn, carry) {
      const input = affine(heldMatrix(precision, weightIh, biasIh.length), biasIh, rows, x)
      const hidden = affine(heldMatrix(precision, weightHh, biasHh.length), biasHh, rows, hIn)
      const open = (v: number): number => gate === 'sigmoid' ? sigmoid(v) : Math.min(1, Math.max(0, gate.slope * v + 0.5))
      const f = ACTIVATIONS[activation]
      const h = new Float32Array(rows * Ho)
      const c = new Float32Array(kind === 'rnn' ? 0 : rows * Ho)
      const gates = new Float32Array(GATES[kind] * c.length)
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < Ho; j++) {
          const at = r * Ho + j
          const tell = (...values: readonly number[]): void => values.forEach((value, k) => { gates[(r * GATES[kind] + k) * Ho + j] = value })
          const sum = (gate: number): number => input[r][gate * Ho + j] + hidden[r][gate * Ho + j]
          if (kind === 'rnn') {
            h[at] = f(sum(0))
          } else if (kind === 'lstm') {
            const [i, forget, g, o] = [open(sum(0)), open(sum(1)), f(sum(2)), open(sum(3))]
            c[at] = forget * carry[at] + i * g
            h[at] = o * f(c[at])
            tell(i, forget, g, o)
          } else {
            const [reset, z] = [open(sum(0)), open(sum(1))]
            const n = f(input[r][2 * Ho + j] + reset * hidden[r][2 * Ho + j])
            h[at] = (1 - z) * n + z * carry[at]
            c[at] = h[at]
            tell(reset, z, n)
          }
        }
      }
      return { h, carry: c, gates }
    },
    dispose () {}
  }),
  linear: ({ weight, bias, activation }, precision) => ({
    run: (rows, input) => Float32Array.from(affine(heldMatrix(precision, weight, bias.length), bias, rows, input).flat(), ACTIVATIONS[activation]),
    dispose () {}
  }),
  softmax (rows, input, activation) {
    const width = input.length / rows
    const make = activation === 'softmax' ? softmax : logSoftmax
    return Float32Array.from(Array.from({ length: rows }, (_, r) => make([...input.subarray(r * width, (r + 1) * width)])).flat())
  },
  attend ({ score, scale, v, activation = 'tanh' }, query, { count, keys, values }) {
    const width = query.length
    const size = (a: Float32Array): number => Math.max(1e-8, Math.sqrt(dot(a, a)))
    const scoreOf = (key: Float32Array): number => {
      switch (score) {
        case 'dot': return dot(query, key)
        case 'cosine': return dot(query, key) / (size(query) * size(key))
        case 'additive': return key.reduce((sum, k, j) => sum + (v?.[j] ?? 0) * ACTIVATIONS[activation](query[j] + k), 0)
      }
    }
    const scores = Array.from({ length: count }, (_, i) => scale * scoreOf(keys.subarray(i * width, (i + 1) * width)))
    const a = softmax(scores)
    const V = values.length / count
    return {
      weights: Float32Array.from(a),
      read: Float32Array.from({ length: V }, (_, j) => a.reduce((sum, weight, i) => sum + weight * values[i * V + j], 0))
    }
  }
}

/** The engine that others are compared with. It computes in double precision and stores float32. */
export const plainEngine: Engine = createInterpreter({ name: 'tfjs', backend: 'plain', budget: 2 ** 20 }, ARITHMETIC)
