import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import util from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { messageOf } from '../errors.ts'
import type { Activation } from '../network/feed.ts'
import { roundMatrix, type Precision } from '../network/precision.ts'
import type { Engine } from './engine.ts'
import { createInterpreter, type Arithmetic } from './interpreter.ts'

/** TensorFlow's C library through `@tensorflow/tfjs-node`, or WebAssembly. */
export type TfjsBackend = 'tensorflow' | 'wasm'

/**
 * Creates an engine that runs programs as TensorFlow.js ops.
 *
 * @param backend if left out, `tensorflow` if `@tensorflow/tfjs-node` is installed and loads, else `wasm`.
 * @throws Error if the named backend cannot be loaded.
 */
export async function createTfjsEngine (backend?: TfjsBackend): Promise<Engine> {
  if (backend !== undefined) return await start(backend)
  return await start('tensorflow').catch(async () => await start('wasm'))
}

/** A step takes about a millisecond, whatever it computes. */
const BUDGET = 2 ** 20

/** The previous start: TensorFlow.js abandons a start in progress if another begins. */
let before: Promise<void> = Promise.resolve()

async function start (backend: TfjsBackend): Promise<Engine> {
  const started = before.then(async () => { await load(backend) })
  before = started.catch(() => {})
  await started
  return createInterpreter({ name: 'tfjs', backend, budget: BUDGET }, createArithmetic(backend))
}

async function load (backend: TfjsBackend): Promise<void> {
  try {
    await (backend === 'tensorflow' ? loadTfjsNode() : loadWasm())
    if (!await tf.setBackend(backend)) throw new Error('its initialization failed')
  } catch (error) {
    throw new Error(`TensorFlow.js cannot start its backend ${backend}: ${messageOf(error)}`)
  }
}

async function loadTfjsNode (): Promise<void> {
  // Removed in Node.js 23, but tfjs-node 4.22 still calls it.
  if (!('isNullOrUndefined' in util)) Reflect.set(util, 'isNullOrUndefined', (value: unknown) => value == null)
  // TensorFlow's own notes on the CPU's features are of no use to our operators.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
  // An optional peer dependency: its name is not a literal, so that the compiler does not require it.
  const name: string = '@tensorflow/tfjs-node'
  await import(name)
}

async function loadWasm (): Promise<void> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
  setWasmPaths(`${dirname(entry)}/`)
}

/** Instructions as TensorFlow.js ops. */
function createArithmetic (backend: TfjsBackend): Arithmetic {
  /** Returns the numbers of the tensors that `make` returns, and frees all tensors that it creates. */
  const compute = (make: () => tf.Tensor[]): Float32Array[] => {
    use(backend)
    return tf.tidy(() => make().map((tensor) => Float32Array.from(tensor.dataSync())))
  }
  return {
    cell ({ kind, activation, gate: gateFunction, sizes: { I, Hi, Ho }, ...weights }, precision) {
      use(backend)
      const rows = weights.biasIh.length
      const weightIh = I === 0 ? undefined : holdMatrix(precision, weights.weightIh, rows)
      const weightHh = holdMatrix(precision, weights.weightHh, rows)
      const biasIh = tf.tensor1d(weights.biasIh)
      const biasHh = tf.tensor1d(weights.biasHh)
      const gate = (sums: tf.Tensor): tf.Tensor => gateFunction === 'sigmoid'
        ? tf.sigmoid(sums)
        : tf.clipByValue(tf.add(tf.mul(sums, gateFunction.slope), 0.5), 0, 1)
      const sums = (n: number, x: Float32Array, h: Float32Array): [input: tf.Tensor, hidden: tf.Tensor] => [
        weightIh === undefined ? tf.broadcastTo(biasIh, [n, rows]) : tf.add(weightIh.times(tf.tensor2d(x, [n, I])), biasIh),
        tf.add(weightHh.times(tf.tensor2d(h, [n, Hi])), biasHh)
      ]
      return {
        run (n, x, h, carry, tells) {
          // The new h, an LSTM's c, and the gates if they are asked for.
          const made = compute(() => {
            const [input, hidden] = sums(n, x, h)
            if (kind === 'rnn') return [activateSums(activation, tf.add(input, hidden))]
            const told = (...gates: tf.Tensor[]): tf.Tensor[] => tells ? [tf.concat(gates, 1)] : []
            const before = tf.tensor2d(carry, [n, Ho])
            if (kind === 'lstm') {
              const all = tf.split(tf.add(input, hidden), 4, 1)
              const [i, f, g, o] = all.map((sum, k) => k === 2 ? activate(activation, sum) : gate(sum))
              const c = tf.addN([tf.mul(f, before), tf.mul(i, g), ...all.map(lost)])
              return [tf.mul(o, activate(activation, c)), c, ...told(i, f, g, o)]
            }
            const [r, z, nx] = tf.split(input, 3, 1)
            const [rh, zh, nh] = tf.split(hidden, 3, 1)
            const reset = gate(tf.add(r, rh))
            const update = gate(tf.add(z, zh))
            const candidate = activate(activation, tf.add(nx, tf.mul(reset, nh)))
            return [tf.addN([tf.mul(tf.sub(1, update), candidate), tf.mul(update, before), ...[r, z, nx, rh, zh, nh].map(lost)]), ...told(reset, update, candidate)]
          })
          return { h: made[0], carry: made[kind === 'lstm' ? 1 : 0], gates: tells ? made.at(-1) : undefined }
        },
        dispose () {
          use(backend)
          tf.dispose([...(weightIh?.tensors ?? []), ...weightHh.tensors, biasIh, biasHh])
        }
      }
    },
    linear (layer, precision) {
      use(backend)
      const weight = holdMatrix(precision, layer.weight, layer.out)
      const bias = tf.tensor1d(layer.bias)
      return {
        run: (n, input) => compute(() => [activateSums(layer.activation, tf.add(weight.times(tf.tensor2d(input, [n, layer.in])), bias))])[0],
        dispose () {
          use(backend)
          tf.dispose([...weight.tensors, bias])
        }
      }
    },
    softmax: (n, input, activation) => compute(() => [ofRows(activation, tf.tensor2d(input, [n, input.length / n]))])[0],
    attend ({ score, scale, v, activation }, query, { count, keys, values }) {
      const [read, weights] = compute(() => {
        const q = tf.tensor2d(query, [1, query.length])
        const k = tf.tensor2d(keys, [count, query.length])
        const a = ofRows('softmax', tf.mul(scoresOf(), scale))
        return [tf.matMul(a, tf.tensor2d(values, [count, values.length / count])), a]

        function scoresOf (): tf.Tensor2D {
          if (score === 'additive' && v !== undefined) {
            return tf.matMul(tf.tensor2d(v, [1, v.length]), activateSums(activation ?? 'tanh', tf.add(q, k)), false, true)
          }
          const products: tf.Tensor2D = tf.matMul(q, k, false, true)
          if (score === 'dot') return products
          const lengths = tf.mul(tf.maximum(tf.norm(k, 'euclidean', 1), TINY), tf.maximum(tf.norm(q), TINY))
          return tf.add(tf.div(products, lengths), lost(lengths))
        }
      })
      return { read, weights }
    }
  }
}

/** A matrix on the backend, as float32. An int8 matrix holds its integers, and the scales multiply the finished sums. */
interface HeldMatrix {
  readonly tensors: readonly tf.Tensor[]
  /** `[n, columns] -> [n, rows]` */
  times (input: tf.Tensor2D): tf.Tensor2D
}

function holdMatrix (precision: Precision, matrix: Float32Array, rows: number): HeldMatrix {
  const { values, scales } = roundMatrix(precision, matrix, rows)
  const held = tf.tensor2d(values, [rows, values.length / rows])
  const sums = (input: tf.Tensor2D): tf.Tensor2D => tf.matMul(input, held, false, true)
  if (scales === undefined) return { tensors: [held], times: sums }
  const scale = tf.tensor1d(scales)
  return { tensors: [held, scale], times: (input) => tf.mul(sums(input), scale) }
}

/** A vector of length 0 has no cosine; as in PyTorch, it counts as this long. */
const TINY = 1e-8

function ofRows (activation: 'softmax' | 'log_softmax', sums: tf.Tensor2D): tf.Tensor2D {
  const made: tf.Tensor2D = activation === 'softmax' ? tf.softmax(sums) : tf.logSoftmax(sums)
  return tf.add(made, tf.sum(lost(sums), 1, true))
}

/** 0, or NaN for an infinity or NaN. A sigmoid would turn a sum that overflowed into a number; adding this prevents that. */
function lost (sums: tf.Tensor): tf.Tensor {
  return tf.sub(sums, sums)
}

/** Applies an activation to sums; NaN if one overflowed. */
function activateSums (activation: Activation, sums: tf.Tensor): tf.Tensor {
  return tf.add(activate(activation, sums), lost(sums))
}

function activate (activation: Activation, sums: tf.Tensor): tf.Tensor {
  switch (activation) {
    case 'tanh': return tf.tanh(sums)
    case 'relu': return tf.relu(sums)
    case 'sigmoid': return tf.sigmoid(sums)
    default: return sums
  }
}

/** TensorFlow.js has one backend at a time for the whole process. A change to one that has already started is done on return. */
function use (backend: TfjsBackend): void {
  if (tf.getBackend() !== backend) void tf.setBackend(backend)
}
