import Type, { type TSchema } from 'typebox'
import { TensorSchema } from '../../tensor/schema.ts'

/** What a request's `context` may hold, by what the model's wiring is made from. */

export const NoContext = Type.Object({}, { additionalProperties: false, description: 'This policy needs no context.' })

export const VectorsContext = Type.Object({
  vectors: TensorSchema({ ranks: [1, 2, 3], ragged: true }, {
    description: 'What follows h in h_in: [D] for all rows, [B][D] one per row, or [B][T][D] one per row and step ' +
      '(without a batch dimension [D] or [T][D]). D = Hi - Ho.'
  })
}, { additionalProperties: false, title: 'ConcatContext', description: 'The context of policy concat.' })

export const SupportContext = Type.Object({
  support: TensorSchema({ ranks: [2, 3] }, {
    description: 'The support set that is attended to: [N][Ho] for all rows, or [B][N][Ho] one per row.'
  })
}, { additionalProperties: false, title: 'AttentionContext', description: 'The context of policy attention.' })

/** The schemas of the contexts that a request may bring. */
export const CONTEXTS: readonly TSchema[] = [VectorsContext, SupportContext]
