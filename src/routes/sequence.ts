import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { CONTEXTS } from '../model/feedback/policies.ts'
import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'
import { compile, tensorFields, TensorSchema } from '../schema.ts'
import { ModelParams, problems, WorkHeaders } from './schemas.ts'

const SequenceRequest = Type.Object({
  x: TensorSchema({ ranks: [1, 2, 3], ragged: true }, {
    description: 'The inputs: [B][T][I], whose rows may be ragged, or [T][I]. With `steps`, what every step reads: [B][I] or [I].'
  }),
  h_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, {
    description: 'What the first step reads, in the place of what the policy would make: [Hi] for all rows, or [B][Hi].'
  })),
  c_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, { description: 'The first cell state: [Ho] for all rows, or [B][Ho]. Zeros where left out.' })),
  lengths: Type.Optional(Type.Array(Type.Integer(), {
    description: 'How many steps each row takes, 1 to T: [B]. Past it a row\'s output is zero.'
  })),
  steps: Type.Optional(Type.Integer({ minimum: 1, description: 'Feed the same x this many times. Not together with a T axis.' })),
  // The model's policy validates it, once the model is known.
  context: Type.Optional(Type.Unknown({
    documented: { anyOf: [...CONTEXTS, { description: 'What the schema in GET /models/{model} says.' }] },
    description: 'What the model\'s feedback policy needs of the request.'
  })),
  return: Type.Optional(Type.Enum(['all', 'last'], {
    description: 'Whether `output` has every step (`all`, the default) or the last of each row alone.'
  }))
}, {
  additionalProperties: false,
  title: 'SequenceRequest',
  description: 'T steps, the feedback by the model\'s policy.',
  examples: [
    { x: [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]] },
    { x: [[[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]], [[1, 2]]], return: 'last' },
    { x: [0.5, -0.25], steps: 3, h_in: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], c_in: [0.1, 0.2, 0.3] }
  ]
})

const SequenceAnswer = Type.Object({
  output: TensorSchema({ ranks: [1, 2, 3] }, { description: 'h_out of every step: [B][T][Ho]; with `return: "last"` [B][Ho].' }),
  h_out: TensorSchema({ ranks: [1, 2] }, { description: 'Each row\'s hidden state after its own last step: [B][Ho].' }),
  c_out: TensorSchema({ ranks: [1, 2] }, { description: 'Each row\'s cell state after its own last step: [B][Ho].' }),
  h_next: Type.Optional(TensorSchema({ ranks: [1, 2] }, {
    description: 'What the policy would feed to the next step: [B][Hi]. Pass it as h_in to go on. Left out where only the client knows it.'
  })),
  weights: Type.Optional(TensorSchema({ ranks: [2, 3] }, { description: 'The attention weights of every step, where the context asks for them: [B][T][N].' }))
}, { title: 'SequenceAnswer', description: 'The outputs, and the states to go on from.' })

const readParams = compile(Type.Partial(ModelParams))

/** The fields of a request that are tensors, those of the model's context among them. */
function fieldsOf ({ policy }: Model): string[] {
  return [...tensorFields(SequenceRequest), ...tensorFields(policy.policy.context).map((name) => `context/${name}`)]
}

/** `POST /sequence`: many steps, the server doing the feedback. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const fields = new Map(registry.models.map((model) => [model, fieldsOf(model)]))
  const config = { tensors: (params: unknown) => fields.get(registry.get(readParams(params, '').model)) ?? [] }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'T steps. The model\'s policy makes each h_in of the last h_out; it runs before every step, the first included, ' +
      'unless the request gives h_in for that.',
    body: SequenceRequest,
    response: { 200: SequenceAnswer, ...problems(400, 404, 413, 415, 422, 500, 503, 504) }
  }

  app.post('/sequence', {
    config,
    schema: { ...schema, operationId: 'sequence', summary: 'Run the default model over a sequence' }
  }, async ({ body, caller }, reply) => reply.answer(await registry.get().sequence(body, caller)))

  app.post('/models/:model/sequence', {
    config,
    schema: { ...schema, operationId: 'sequenceModel', summary: 'Run a model over a sequence', params: ModelParams }
  }, async ({ body, params, caller }, reply) => reply.answer(await registry.get(params.model).sequence(body, caller)))
}

export default routes
