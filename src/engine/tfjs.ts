import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import util from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import type { Cell } from '../network/cell.ts'
import type { Batch, Engine, Stepper } from './engine.ts'

/** TensorFlow's C library through `@tensorflow/tfjs-node`, or WebAssembly. */
export type TfjsBackend = 'tensorflow' | 'wasm'

/**
 * The cell in TensorFlow.js ops.
 *
 * @param backend where left out, `tensorflow` where `@tensorflow/tfjs-node` is installed and loads, else `wasm`.
 * @throws Error where the named backend cannot be loaded.
 */
export async function createTfjsEngine (backend?: TfjsBackend): Promise<Engine> {
  if (backend !== undefined) return await start(backend)
  return await start('tensorflow').catch(async () => await start('wasm'))
}

async function start (backend: TfjsBackend): Promise<Engine> {
  try {
    await (backend === 'tensorflow' ? loadTfjsNode() : loadWasm())
    if (!await tf.setBackend(backend)) throw new Error('its initialization failed')
  } catch (error) {
    throw new Error(`TensorFlow.js cannot start its backend ${backend}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { name: 'tfjs', backend, load: (cell) => load(cell, backend) }
}

async function loadTfjsNode (): Promise<void> {
  // Removed in Node.js 23, but tfjs-node 4.22 still calls it.
  if (!('isNullOrUndefined' in util)) Reflect.set(util, 'isNullOrUndefined', (value: unknown) => value == null)
  // TensorFlow's own notes on the CPU's features say nothing to our operators.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
  // An optional peer dependency: its name is no literal, so that the compiler does not ask for it.
  const name: string = '@tensorflow/tfjs-node'
  await import(name)
}

async function loadWasm (): Promise<void> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
  setWasmPaths(`${dirname(entry)}/`)
}

function load (cell: Cell, backend: TfjsBackend): Stepper {
  const { I, Hi, Ho } = cell.sizes
  use(backend)
  const weightIh = tf.tensor2d(cell.weightIh, [4 * Ho, I])
  const weightHh = tf.tensor2d(cell.weightHh, [4 * Ho, Hi])
  const bias = tf.tidy(() => tf.add(tf.tensor1d(cell.biasIh), tf.tensor1d(cell.biasHh)))

  return {
    step ({ rows, x, hIn, cIn, hOut, cOut }: Batch) {
      use(backend)
      tf.tidy(() => {
        const input = tf.matMul(tf.tensor2d(x.subarray(0, rows * I), [rows, I]), weightIh, false, true)
        const hidden = tf.matMul(tf.tensor2d(hIn.subarray(0, rows * Hi), [rows, Hi]), weightHh, false, true)
        const [i, f, g, o] = tf.split(tf.add(tf.add(input, bias), hidden), 4, 1)
        const c = tf.add(tf.mul(tf.sigmoid(f), tf.tensor2d(cIn.subarray(0, rows * Ho), [rows, Ho])), tf.mul(tf.sigmoid(i), tf.tanh(g)))
        const h = tf.mul(tf.sigmoid(o), tf.tanh(c))
        cOut.set(c.dataSync())
        hOut.set(h.dataSync())
      })
    },
    dispose () {
      use(backend)
      tf.dispose([weightIh, weightHh, bias])
    }
  }
}

/** TensorFlow.js has one backend at a time for the whole process. Changing to one that has started is done on return. */
function use (backend: TfjsBackend): void {
  if (tf.getBackend() !== backend) void tf.setBackend(backend)
}
