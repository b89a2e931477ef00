import type { Model } from '../model/model.ts'
import { Tensor } from '../tensor/tensor.ts'

/** The input of a model's first steps: an x filled with this value (or an h if the model reads no x), or an id. */
const X = 0.1
const ID = 0

export interface FirstSteps {
  /** What each step reads, in words. */
  readonly reads: string
  /** What the last step returns, by field. */
  readonly made: ReadonlyArray<readonly [field: string, numbers: Float32Array]>
}

/**
 * Takes a model's first steps: several steps as a sequence; a single step through the bare network, if it has one direction.
 *
 * @throws InputError if the model rejects them.
 */
export async function takeFirstSteps ({ shape, step, sequence }: Model, steps: number): Promise<FirstSteps> {
  const alone = steps === 1 && shape.directions === 1
  const { width, embedding } = alone ? shape.step : shape.sequence
  const reads = embedding !== undefined ? `id ${ID}` : `${width > 0 ? 'x' : 'h_in'} = ${X}`
  if (alone) {
    const { h_out: h, y } = await step(embedding !== undefined ? { ids: ID } : width > 0 ? { x: filled(width) } : { h_in: filled(shape.hIn) })
    return { reads, made: fields({ h_out: h, y }) }
  }
  const { output, y } = await sequence(embedding === undefined ? { x: filled(steps, width) } : { ids: new Array<number>(steps).fill(ID) })
  return { reads, made: fields({ output, y }) }
}

/** The tensors that exist, each reduced to its last step. */
function fields (tensors: Readonly<Record<string, Tensor | undefined>>): FirstSteps['made'] {
  return Object.entries(tensors).flatMap(([field, tensor]) => tensor === undefined ? [] : [[field, tensor.data.subarray(tensor.data.length - tensor.shape[tensor.shape.length - 1])] as const])
}

function filled (...shape: number[]): Tensor {
  return new Tensor(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(X))
}
