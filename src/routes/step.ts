import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from '../tensor/typebox.ts'
import { TensorSchema } from '../tensor/schema.ts'
import { servedFields, withOptions } from './fields.ts'
import { answers, BODIES, ContextField, FirstState, IdsSchema, LastState, ModelParams, problems, StateField, StateOption, TokensField, WorkHeaders } from './schemas.ts'

export const StepRequest = Type.Object({
  x: Type.Optional(TensorSchema({ ranks: [1, 2, 3], documented: 2 }, { description: 'The input: [B][I]. Leave it out if the network reads no x.' })),
  ids: Type.Optional(IdsSchema(1, 'Instead of x, if the model begins with an embedding: [B], indices into its vocabulary.')),
  ...FirstState,
  context: Type.Optional(ContextField),
  state: Type.Optional(StateField)
}, {
  additionalProperties: false,
  title: 'StepRequest',
  description: 'One step of the bare network.'
})

const StepAnswer = Type.Object({
  ...Type.Required(Type.Object({ h_out: LastState.h_out })).properties,
  c_out: LastState.c_out,
  state: Type.Optional(TokensField),
  y: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The model\'s readout: [B][K]. Left out if the model has no readout, or if the readout reads more than the step\'s own h and c.' }))
}, { title: 'StepAnswer', description: 'The states after the step.' })

/** `POST /step`: one step of the bare network. */
const routes: FastifyPluginAsyncTypebox = async (app) => {
  const config = { work: true, model: true, fields: servedFields(StepRequest) }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'One step of the bare network. The client owns the feedback: it computes the next h_in. With `state`, the server computes it, and x is a step of a sequence. As a shorthand, a request may leave out [B] everywhere; the answer then has none either.',
    consumes: BODIES,
    querystring: Type.Object({ state: Type.Optional(StateOption) }, { additionalProperties: false }),
    body: StepRequest,
    response: { 200: answers(StepAnswer, 'The states after the step.'), ...problems(400, 401, 404, 409, 413, 415, 422, 429, 503, 504) }
  }

  app.post('/step', {
    config,
    schema: { ...schema, operationId: 'step', summary: 'Step the default model' }
  }, async (request, reply) => reply.answer(await request.served().step(withOptions(request.body, request.query), request.call)))

  app.post('/models/:model/step', {
    config,
    schema: { ...schema, operationId: 'stepModel', summary: 'Step a model', params: ModelParams }
  }, async (request, reply) => reply.answer(await request.served().step(withOptions(request.body, request.query), request.call)))
}

export default routes
