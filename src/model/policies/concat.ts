import Type from 'typebox'
import { unprocessable } from '../../errors.ts'
import { compile, TensorSchema } from '../../tensor/schema.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { linearFeedback } from './linear.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind, RequestShape, VectorSource } from './policy.ts'

const readOptions = optionsOf('concat', {})

const ConcatContext = Type.Object({
  vectors: TensorSchema({ ranks: [1, 2, 3], ragged: true }, {
    description: 'What follows h in h_in: [D] for all rows, [B][D] one a row, or [B][T][D] one a row and step ' +
      '(without a batch dimension [D] or [T][D]). D = Hi - Ho.'
  })
}, { additionalProperties: false, title: 'ConcatContext', description: 'The context of policy concat.' })

const readContext = compile(ConcatContext)

/** `h_in = [h, v]`, where the request brings `v`. */
export const concat: PolicyKind = {
  name: 'concat',
  summary: 'h_in = [h, v] with vectors v of the request; needs Hi = Ho + D.',
  context: ConcatContext,
  create (options, { sizes: { Hi, Ho } }) {
    readOptions(options)
    if (Hi <= Ho) throw new Error(`policy concat needs Hi > Ho, this cell has Hi = ${Hi} and Ho = ${Ho}`)
    return {
      context: ConcatContext,
      bind (context, shape) {
        const vectors = placeVectors(readContext(context, '/context').vectors, Hi - Ho, shape)
        return linearFeedback({ repeat: 1, vectors }, Ho, shape.steps)
      }
    }
  }
}

function placeVectors (vectors: Tensor, D: number, { rows, steps, lengths, batched }: RequestShape): VectorSource {
  const path = '/context/vectors'
  const { shape, rank } = vectors
  if (shape[rank - 1] !== D) throw unprocessable(path, `expected vectors of ${D} numbers (Hi - Ho), got ${shape[rank - 1]}`)
  if (rank === 1) return { data: vectors.data, size: D, perStep: false, offset: () => 0 }
  if (rank === 2 && batched) {
    if (shape[0] !== rows) throw unprocessable(path, `expected a vector for each of the ${rows} rows, got ${shape[0]}`)
    return { data: vectors.data, size: D, perStep: false, offset: (row) => row * D }
  }
  const stride = shape[rank - 2]
  if (rank === 3) {
    if (shape[0] !== rows) throw unprocessable(path, `expected vectors for each of the ${rows} rows, got ${shape[0]}`)
    // A ragged row brings just the vectors of its own steps.
    const uneven = vectors.lengths?.findIndex((given, row) => given !== lengths[row]) ?? -1
    if (uneven >= 0) throw unprocessable(`${path}/${uneven}`, `expected ${lengths[uneven]} vectors, one a step of this row, got ${vectors.lengths?.[uneven]}`)
  }
  if (stride !== steps) throw unprocessable(path, `expected ${steps} vectors a row, one a step, got ${stride}`)
  return { data: vectors.data, size: D, perStep: true, offset: (row, t) => (row * stride + t) * D }
}
