import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import Type, { type Static } from 'typebox'
import type { Fields } from '../wire/tensor-paths.ts'
import { NDJSON } from '../wire/json.ts'
import type { Caller } from '../scheduler/cancellation.ts'
import { CONTEXTS } from '../model/policies/policies.ts'
import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'
import type { SequenceRequest } from '../model/request.ts'
import { InputError } from '../errors.ts'
import { compile, tensorFields, TensorSchema } from '../tensor/schema.ts'
import { answers, BODIES, ModelParams, Problem, problems, WorkHeaders } from './schemas.ts'

const SequenceBody = Type.Object({
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
    type: 'string',
    description: 'Whether `output` has every step (`all`, the default) or the last of each row alone.'
  }))
}, {
  additionalProperties: false,
  title: 'SequenceRequest',
  description: 'T steps, the feedback by the model\'s policy.'
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

const SequenceOptions = Type.Object({
  steps: Type.Optional(Type.Integer({ minimum: 1, description: 'For a body of safetensors: feed the same x this many times. A JSON body has it as a field.' })),
  return: Type.Optional(Type.Enum(['all', 'last'], { type: 'string', description: 'For a body of safetensors: whether `output` has every step, or the last alone. A JSON body has it as a field.' })),
  weights: Type.Optional(Type.Boolean({ description: 'For a body of safetensors: answer the attention weights as well. A JSON body has it in its context.' }))
}, { additionalProperties: false })

const SequenceLine = Type.Union([
  Type.Object({
    t: Type.Integer({ minimum: 0 }),
    output: TensorSchema({ ranks: [1, 2] }, { description: 'h_out of step t: [B][Ho], or [Ho] without a batch dimension.' }),
    weights: Type.Optional(TensorSchema({ ranks: [1, 2] }, { description: 'The attention weights of step t, where the context asks for them: [B][N].' }))
  }, { title: 'SequenceStep', description: 'A step; none with `return: "last"`.' }),
  Type.Pick(SequenceAnswer, ['h_out', 'c_out', 'h_next'], { title: 'SequenceStates', description: 'The last line: the states to go on from.' }),
  Type.Object({ error: Problem }, { title: 'SequenceFailure', description: 'The last line, where the request fails after the first.' })
], { title: 'SequenceLine', description: 'A line of an answer that is sent as it is computed.' })

const readParams = compile(Type.Partial(ModelParams))

/** Those of the model's context are among them. */
function fieldsOf ({ policy }: Model): Fields {
  return {
    tensors: [...tensorFields(SequenceBody), ...tensorFields(policy.policy.context).map((name) => `context/${name}`)],
    integers: ['lengths']
  }
}

/** `POST /sequence`: many steps, the server doing the feedback. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const fields = new Map(registry.models.map((model) => [model, fieldsOf(model)]))
  const config = { forms: [NDJSON], fields: (params: unknown) => fields.get(registry.get(readParams(params, '').model)) }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'T steps. The model\'s policy makes each h_in of the last h_out; it runs before every step, the first included, ' +
      'unless the request gives h_in for that.',
    consumes: BODIES,
    querystring: SequenceOptions,
    body: SequenceBody,
    response: { 200: answers(SequenceAnswer, 'The outputs, and the states to go on from.', { [NDJSON]: { schema: SequenceLine } }), ...problems(400, 401, 404, 413, 415, 422, 429, 500, 503, 504) }
  }

  app.post('/sequence', {
    config,
    schema: { ...schema, operationId: 'sequence', summary: 'Run the default model over a sequence' }
  }, async ({ body, query, caller }, reply) => await answer(registry.get(), withOptions(body, query), caller, reply))

  app.post('/models/:model/sequence', {
    config,
    schema: { ...schema, operationId: 'sequenceModel', summary: 'Run a model over a sequence', params: ModelParams }
  }, async ({ body, query, params, caller }, reply) => await answer(registry.get(params.model), withOptions(body, query), caller, reply))
}

async function answer (model: Model, request: SequenceRequest, caller: Caller, reply: FastifyReply): Promise<FastifyReply> {
  if (reply.form === NDJSON) return await reply.stream(model.stream(request, caller))
  return reply.answer(await model.sequence(request, caller))
}

/** A request and the options of its query string, each of which may be in one of the two. */
function withOptions (request: SequenceRequest, { weights, ...options }: Static<typeof SequenceOptions>): SequenceRequest {
  const twice = Object.keys(options).find((name) => Object.hasOwn(request, name))
  if (twice !== undefined) throw new InputError('malformed', { path: `/${twice}`, message: 'is in the query string, too' })
  const { context } = request
  if (weights === undefined) return { ...request, ...options }
  if (Object.hasOwn(Object(context), 'weights')) throw new InputError('malformed', { path: '/context/weights', message: 'is in the query string, too' })
  return { ...request, ...options, context: { ...Object(context), weights } }
}

export default routes
