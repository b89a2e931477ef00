import Type, { type TObject } from '../../tensor/typebox.ts'
import { TensorSchema } from '../../tensor/schema.ts'

/** What a request's `context` contains, depending on what the model's wiring is made from. */

const VECTORS = {
  vectors: TensorSchema({ ranks: [1, 2, 3], documented: 3, ragged: true }, {
    description: 'The wiring\'s part `vectors`: [D] (one for all rows), [B][D] (one per row) or [B][T][D] (one per row and step); without a batch dimension, [D] or [T][D].'
  })
}

const SUPPORT = {
  support: TensorSchema({ ranks: [2, 3], documented: 3, ragged: true }, {
    description: 'The support vectors that the network attends to: [N][D] (one set for all rows) or [B][N][D] (one set per row; the sets may differ in size).'
  }),
  support_lengths: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), {
    description: 'The number of support vectors of each row, if `support` is [B][N][D] and padded to the largest set: [B].'
  }))
}

const options = { additionalProperties: false } as const

const NoContext = Type.Object({}, { ...options, description: 'The wiring needs no context.' })
const VectorsContext = Type.Object(VECTORS, { ...options, title: 'VectorsContext', description: 'For a wiring with `vectors`.' })
const SupportContext = Type.Object(SUPPORT, { ...options, title: 'SupportContext', description: 'For a wiring with an attention read.' })
const VectorsSupportContext = Type.Object({ ...VECTORS, ...SUPPORT }, { ...options, title: 'VectorsSupportContext', description: 'For a wiring with `vectors` and an attention read.' })

/**
 * The contexts of all models in one schema, for a document that covers all of them. It does not say that a model with a module
 * has other fields: with `additionalProperties`, generated Java clients send those fields alone.
 */
export const AnyContext = Type.Partial(Type.Object({ ...VECTORS, ...SUPPORT }), {
  title: 'Context',
  description: 'What the model\'s wiring needs from the request. GET /models/{model} returns the schema of the model\'s own context.'
})

/** The schema of what a wiring needs from a request. */
export function contextOf ({ vectors = false, support = false }: { readonly vectors?: boolean, readonly support?: boolean }): TObject {
  if (vectors) return support ? VectorsSupportContext : VectorsContext
  return support ? SupportContext : NoContext
}
