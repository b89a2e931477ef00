import { createCell, GATES, type Cell, type CellKind, type CellSizes } from '../../src/network/cell.ts'
import type { Layers } from '../../src/network/layers.ts'
import { nodeWidth, type Node } from '../../src/network/network.ts'
import type { CellOptions } from '../../src/weights/layouts/options.ts'
import { store, type Written } from './safetensors.ts'
import { pick, size, type Random } from './random.ts'

export type Naming = 'CustomLSTM' | 'cell' | 'list' | 'torch'

/** A network, and a file that contains it. */
export interface LayersFile {
  readonly layers: Layers
  readonly tensors: Record<string, Written>
  readonly options: CellOptions
  readonly prefix: string
}

/** Multiples of an eighth, which every dtype represents exactly. */
const eighths = (length: number, random: Random): Float32Array => Float32Array.from({ length }, () => Math.floor(random() * 129 - 64) / 8)

function drawEighths (kind: CellKind, sizes: CellSizes, random: Random, biases = { ih: true, hh: true }): Cell {
  const rows = GATES[kind] * sizes.Ho
  return createCell({
    kind,
    sizes,
    weightIh: eighths(rows * sizes.I, random),
    weightHh: eighths(rows * sizes.Hi, random),
    biasIh: biases.ih ? eighths(rows, random) : new Float32Array(rows),
    biasHh: biases.hh ? eighths(rows, random) : new Float32Array(rows)
  })
}

/** Draws a file in any layout: with any names, any prefix, and with or without optional tensors. */
export function drawLayersFile (random: Random): LayersFile {
  const naming = pick<Naming>(random, 'CustomLSTM', 'cell', 'list', 'torch')
  const kind = pick<CellKind>(random, 'lstm', 'gru', 'rnn')
  const L = naming === 'list' || naming === 'torch' ? size(random, 4) : 1
  const D = naming === 'torch' && random() < 0.5 ? 2 : 1
  const projected = naming === 'torch' && kind === 'lstm' && random() < 0.4
  const free = L * D === 1 && !projected && random() < 0.4
  const biases = { ih: random() < 0.8, hh: random() < 0.8 }
  const readsX = L > 1 || random() < 0.8

  const nodes: Array<[Node, Node?]> = []
  let I = readsX ? size(random, 7) : 0
  for (let layer = 0; layer < L; layer++) {
    const both = Array.from({ length: D }, (): Node => {
      const Ho = size(random, 6)
      const P = size(random, 5)
      const cell = drawEighths(kind, { I, Hi: projected ? P : free ? size(random, 9) : Ho, Ho }, random, biases)
      return projected ? { cell, projection: { in: Ho, out: P, weight: eighths(P * Ho, random), bias: new Float32Array(P), activation: 'none' } } : { cell }
    })
    nodes.push(both.length === 1 ? [both[0]] : [both[0], both[1]])
    I = both.reduce((sum, node) => sum + nodeWidth(node), 0)
  }

  const order = { lstm: 'ifgo', gru: 'rzn', rnn: '' }[kind]
  const gates = order !== '' && random() < 0.4 ? shuffle(order, random) : undefined
  const told = naming === 'CustomLSTM' ? kind !== 'lstm' : free
  const options: CellOptions = {
    ...((told || random() < 0.3) && { kind }),
    ...(gates !== undefined && { gates }),
    ...(random() < 0.4 && { transposed: random() < 0.7 }),
    ...(kind === 'lstm' && biases.ih && random() < 0.4 && { forget_bias: pick(random, 1, 0.5, -2) })
  }
  const prefix = pick(random, '', 'lstm', 'decoder.rnn', 'a.0', '7.x')
  const file = { layers: { kind, nodes }, options, prefix }
  return { ...file, tensors: writeLayers(file, naming, biases, pick(random, 'F32', 'F16', 'BF16', 'F64')) }
}

function shuffle (letters: string, random: Random): string {
  return [...letters].map((letter) => ({ letter, at: random() })).sort((a, b) => a.at - b.at).map(({ letter }) => letter).join('')
}

function writeLayers ({ layers: { kind, nodes }, options, prefix }: Omit<LayersFile, 'tensors'>, naming: Naming, biases: { ih: boolean, hh: boolean }, dtype: string): Record<string, Written> {
  const used = { lstm: 'ifgo', gru: 'rzn', rnn: 'h' }[kind]
  const stored = options.gates ?? used
  const { transposed = false, forget_bias: forgetBias = 0 } = options
  const tensors: Record<string, Written> = {}
  for (const [k, layer] of nodes.entries()) {
    for (const [d, node] of layer.entries()) {
      if (node === undefined) continue
      const { cell: { sizes: { I, Hi, Ho }, weightIh, weightHh, biasIh, biasHh }, projection } = node
      const nameOf = (what: string, side: string): string => {
        const name = {
          CustomLSTM: `${side === 'ih' ? 'input' : 'hidden'}_linear.${what}`,
          cell: `${what}_${side}`,
          list: `${k}.${what}_${side}`,
          torch: `${what}_${side}_l${k}${d === 1 ? '_reverse' : ''}`
        }[naming]
        return prefix === '' ? name : `${prefix}.${name}`
      }
      // Rows in the file's order: gate by gate.
      const rows = [...stored].flatMap((gate) => Array.from({ length: Ho }, (_, j) => used.indexOf(gate) * Ho + j))
      const kernel = (from: Float32Array, columns: number): Written => {
        const lines = rows.map((row) => [...from.subarray(row * columns, (row + 1) * columns)])
        return transposed ? store(dtype, [columns, rows.length], Array.from({ length: columns }, (_, c) => lines.map((line) => line[c])).flat()) : store(dtype, [rows.length, columns], lines.flat())
      }
      const bias = (from: Float32Array, added = 0): Written => store(dtype, [rows.length], rows.map((row) => from[row] - (Math.floor(row / Ho) === 1 ? added : 0)))
      if (I > 0) tensors[nameOf('weight', 'ih')] = kernel(weightIh, I)
      tensors[nameOf('weight', 'hh')] = kernel(weightHh, Hi)
      if (biases.ih) tensors[nameOf('bias', 'ih')] = bias(biasIh, forgetBias)
      if (biases.hh) tensors[nameOf('bias', 'hh')] = bias(biasHh)
      if (projection !== undefined) tensors[nameOf('weight', 'hr')] = store(dtype, [projection.out, Ho], projection.weight)
    }
  }
  return tensors
}
