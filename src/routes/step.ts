import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Registry } from '../model/registry.ts'
import { nestedIntegerFields, tensorFields, TensorSchema } from '../tensor/schema.ts'
import { answers, BODIES, FirstState, IdsSchema, LastState, ModelParams, problems, WorkHeaders } from './schemas.ts'

const StepRequest = Type.Object({
  x: Type.Optional(TensorSchema({ ranks: [1, 2, 3], documented: 2 }, { description: 'The input: [B][I]. Left out if the network reads none.' })),
  ids: Type.Optional(IdsSchema(1, 'In the place of x, for a model that begins with an embedding: [B], rows of its vocabulary.')),
  ...FirstState
}, {
  additionalProperties: false,
  title: 'StepRequest',
  description: 'One step of the bare network.'
})

const StepAnswer = Type.Object({
  ...Type.Required(Type.Object({ h_out: LastState.h_out })).properties,
  c_out: LastState.c_out,
  y: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The model\'s readout: [B][K]. Left out if it has none, or one that is made of more than the step\'s own h and c.' }))
}, { title: 'StepAnswer', description: 'The states after the step.' })

/** `POST /step`: one step of the bare network. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const fields = { known: Object.keys(StepRequest.properties), tensors: tensorFields(StepRequest), nested: nestedIntegerFields(StepRequest) }
  const config = { work: true, fields: () => fields }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'One step of the bare network. The client owns the feedback: it makes the next h_in. As a shorthand a request may leave [B] out everywhere; then the answer has none either.',
    consumes: BODIES,
    body: StepRequest,
    response: { 200: answers(StepAnswer, 'The states after the step.'), ...problems(400, 401, 404, 413, 415, 422, 429, 503, 504) }
  }

  app.post('/step', {
    config,
    schema: { ...schema, operationId: 'step', summary: 'Step the default model' }
  }, async ({ body, call }, reply) => reply.answer(await registry.get().step(body, call)))

  app.post('/models/:model/step', {
    config,
    schema: { ...schema, operationId: 'stepModel', summary: 'Step a model', params: ModelParams }
  }, async ({ body, params, call }, reply) => reply.answer(await registry.get(params.model).step(body, call)))
}

export default routes
