import Type from 'typebox'
import { unprocessable } from '../../errors.ts'
import { compile, TensorSchema } from '../../tensor/schema.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { checkAnswerSize } from '../limits.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind, RequestShape } from './policy.ts'

const readOptions = optionsOf('attention', {
  combine: Type.Optional(Type.Enum(['concat', 'sum'], { default: 'concat' })),
  residual: Type.Optional(Type.Boolean({ default: false }))
})

const AttentionContext = Type.Object({
  support: TensorSchema({ ranks: [2, 3] }, {
    description: 'The support set that is attended to: [N][Ho] for all rows, or [B][N][Ho] one a row.'
  }),
  weights: Type.Optional(Type.Boolean({
    description: 'Also answer the attention weights of every step, as `weights` [B][T][N]: those of the read that fed the ' +
      'step; zeros where the request gave its h_in.'
  }))
}, { additionalProperties: false, title: 'AttentionContext', description: 'The context of policy attention.' })

const readContext = compile(AttentionContext)

/**
 * Matching Networks' read (Vinyals et al. 2016, appendix A.1): `a = softmax(h . s_i)`, `r = sum a_i s_i`, and
 * `h_in = [h, r]` or `h + r`. With `residual` the policy's `h` is `h + x`.
 */
export const attention: PolicyKind = {
  name: 'attention',
  summary: 'h_in = [h, r] or h + r, where r is an attention read of the request\'s support; needs Hi = 2 Ho or Hi = Ho.',
  context: AttentionContext,
  create (options, { sizes: { I, Hi, Ho } }) {
    const { combine = 'concat', residual = false } = readOptions(options)
    const needed = combine === 'concat' ? 2 * Ho : Ho
    if (Hi !== needed) throw new Error(`policy attention with combine ${combine} needs Hi = ${needed} for Ho = ${Ho}, this cell has Hi = ${Hi}`)
    if (residual && I !== Ho) throw new Error(`policy attention with residual needs I = Ho, this cell has I = ${I} and Ho = ${Ho}`)
    return {
      context: AttentionContext,
      bind (context, shape) {
        const { support, weights: wanted = false } = readContext(context, '/context')
        checkSupport(support, Ho, shape)
        const N = support.shape[support.rank - 2]
        const stride = support.rank === 3 ? N * Ho : 0
        const a = new Float64Array(N)
        const weights = wanted ? weightsTensor(shape, N) : undefined
        return {
          knows: () => true,
          next (row, t, h, hAt, hIn, hInAt) {
            attend(a, h, hAt, support.data, row * stride, Ho)
            if (weights !== undefined && t < shape.lengths[row]) weights.data.set(a, (row * shape.steps + t) * N)
            const readAt = combine === 'concat' ? hInAt + Ho : hInAt
            if (combine === 'concat') {
              for (let j = 0; j < Ho; j++) hIn[hInAt + j] = h[hAt + j]
            }
            for (let j = 0; j < Ho; j++) {
              let r = 0
              for (let i = 0; i < N; i++) r += a[i] * support.data[row * stride + i * Ho + j]
              hIn[readAt + j] = combine === 'concat' ? r : h[hAt + j] + r
            }
          },
          ...(residual && { adjust: addInput(I) }),
          ...(weights !== undefined && { weights })
        }
      }
    }
  }
}

/** `a = softmax(h . s_i)`, in double precision. */
function attend (a: Float64Array, h: Float32Array, hAt: number, support: Float32Array, supportAt: number, Ho: number): void {
  let largest = -Infinity
  for (let i = 0, s = supportAt; i < a.length; i++, s += Ho) {
    let dot = 0
    for (let j = 0; j < Ho; j++) dot += h[hAt + j] * support[s + j]
    a[i] = dot
    if (dot > largest) largest = dot
  }
  let sum = 0
  for (let i = 0; i < a.length; i++) {
    a[i] = Math.exp(a[i] - largest)
    sum += a[i]
  }
  for (let i = 0; i < a.length; i++) a[i] /= sum
}

function addInput (I: number): (x: Float32Array, xAt: number, h: Float32Array, hAt: number) => void {
  return (x, xAt, h, hAt) => { for (let j = 0; j < I; j++) h[hAt + j] += x[xAt + j] }
}

function checkSupport (support: Tensor, Ho: number, { rows }: RequestShape): void {
  const { shape, rank } = support
  const path = '/context/support'
  if (shape[rank - 1] !== Ho) throw unprocessable(path, `expected vectors of ${Ho} numbers (Ho), got ${shape[rank - 1]}`)
  if (rank === 3 && shape[0] !== rows) throw unprocessable(path, `expected a support for each of the ${rows} rows, got ${shape[0]}`)
}

function weightsTensor ({ rows, steps, batched }: RequestShape, N: number): Tensor {
  checkAnswerSize(rows * steps * N, '/context/weights')
  return new Tensor(batched ? [rows, steps, N] : [steps, N], new Float32Array(rows * steps * N))
}
