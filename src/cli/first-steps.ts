import type { Model } from '../model/model.ts'
import { Tensor } from '../tensor/tensor.ts'

/** What a model reads first: an x, or if it reads none an h, of this in every place, or an id. */
const X = 0.1
const ID = 0

export interface FirstSteps {
  /** What each step reads, in words. */
  readonly reads: string
  /** What the last step answers, by field. */
  readonly made: ReadonlyArray<readonly [field: string, numbers: Float32Array]>
}

/**
 * Takes a model's first steps: several as a sequence, one alone as a step of the bare network, if that has one direction.
 *
 * @throws InputError if it takes none.
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

/** Those that are there, each without the steps before the last. */
function fields (tensors: Readonly<Record<string, Tensor | undefined>>): FirstSteps['made'] {
  return Object.entries(tensors).flatMap(([field, tensor]) => tensor === undefined ? [] : [[field, tensor.data.subarray(tensor.data.length - tensor.shape[tensor.shape.length - 1])] as const])
}

function filled (...shape: number[]): Tensor {
  return new Tensor(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(X))
}
