import type { CellKind, CellSizes } from '../../src/network/cell.ts'
import type { Layers } from '../../src/network/layers.ts'
import type { Node } from '../../src/network/network.ts'
import type { PolicySetting } from '../../src/model/policies/policy.ts'
import { drawCell } from './networks.ts'
import { createRandom } from './random.ts'

/** Draws layers of random cells. The first has these sizes; each of the others reads the output of the one before. */
export function drawLayers ({ I, Hi, Ho }: CellSizes, { kind = 'lstm', layers = 1, seed = 1 }: { kind?: CellKind, layers?: number, seed?: number } = {}): Layers {
  const random = createRandom(seed)
  const nodes = Array.from({ length: layers }, (_, n): readonly [Node] =>
    [{ cell: drawCell({ I: n === 0 ? I : Ho, Hi: n === 0 ? Hi : Ho, Ho }, random, { kind }) }])
  return { kind, nodes }
}

/** A model's file, as a policy sees it: tensors by name, with these shapes and numbers. */
export function fileOf (tensors: Readonly<Record<string, { shape: readonly number[], data: Float32Array }>>): PolicySetting['tensor'] {
  return (name) => {
    if (!(name in tensors)) throw new Error(`tensor ${name}: is missing; found ${Object.keys(tensors).join(', ')}`)
    return tensors[name]
  }
}

/** A tensor of random numbers. */
export function drawTensor (shape: readonly number[], seed = 1): { shape: readonly number[], data: Float32Array } {
  const random = createRandom(seed)
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * 2 - 1) }
}
