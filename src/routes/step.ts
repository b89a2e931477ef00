import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Registry } from '../model/registry.ts'
import { tensorFields, TensorSchema } from '../tensor/schema.ts'
import { answers, BODIES, ModelParams, problems, WorkHeaders } from './schemas.ts'

const StepRequest = Type.Object({
  x: TensorSchema({ ranks: [1, 2, 3] }, { description: 'The input: [I], [B][I], or [B][1][I] as in PyTorch.' }),
  h_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, { description: 'What the cell reads: [Hi] for all rows, or [B][Hi]. Zeros where left out.' })),
  c_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, { description: 'The cell state: [Ho] for all rows, or [B][Ho]. Zeros where left out.' }))
}, {
  additionalProperties: false,
  title: 'StepRequest',
  description: 'One step of the bare cell.'
})

const StepAnswer = Type.Object({
  h_out: TensorSchema({ ranks: [1, 2] }, { description: 'The output hidden state: [B][Ho], or [Ho] where x is [I].' }),
  c_out: TensorSchema({ ranks: [1, 2] }, { description: 'The cell state: [B][Ho], or [Ho] where x is [I].' })
}, { title: 'StepAnswer', description: 'The states after the step.' })

/** `POST /step`: one step of the bare cell. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const fields = { tensors: tensorFields(StepRequest) }
  const config = { fields: () => fields }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'One step of the bare cell. The client owns the feedback: it makes the next h_in.',
    consumes: BODIES,
    body: StepRequest,
    response: { 200: answers(StepAnswer, 'The states after the step.'), ...problems(400, 401, 404, 413, 415, 422, 429, 503, 504) }
  }

  app.post('/step', {
    config,
    schema: { ...schema, operationId: 'step', summary: 'Step the default model' }
  }, async ({ body, caller }, reply) => reply.answer(await registry.get().step(body, caller)))

  app.post('/models/:model/step', {
    config,
    schema: { ...schema, operationId: 'stepModel', summary: 'Step a model', params: ModelParams }
  }, async ({ body, params, caller }, reply) => reply.answer(await registry.get(params.model).step(body, caller)))
}

export default routes
