import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Registry } from '../model/registry.ts'
import { tensorFields, TensorSchema } from '../tensor/schema.ts'
import { answers, BODIES, ModelParams, problems, WorkHeaders } from './schemas.ts'

const StepRequest = Type.Object({
  x: TensorSchema({ ranks: [1, 2, 3] }, { description: 'The input: [B][I], [I], or [B][1][I] (PyTorch with batch_first).' }),
  h_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, { description: 'What the cell reads: [Hi] for all rows, or [B][Hi]. Defaults to zeros.' })),
  c_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, { description: 'The cell state: [Ho] for all rows, or [B][Ho]. Defaults to zeros.' }))
}, {
  additionalProperties: false,
  title: 'StepRequest',
  description: 'One step of the bare cell.',
  examples: [
    { x: [[0.5, -0.25], [1, 2]], h_in: [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0, 0, 0, 0, 0, 0]], c_in: [0.1, 0.2, 0.3] },
    { x: [0.5, -0.25] }
  ]
})

const StepAnswer = Type.Object({
  h_out: TensorSchema({ ranks: [1, 2] }, { description: 'The output hidden state: [B][Ho], or [Ho] if x is [I].' }),
  c_out: TensorSchema({ ranks: [1, 2] }, { description: 'The cell state: [B][Ho], or [Ho] if x is [I].' })
}, { title: 'StepAnswer', description: 'The states after the step.' })

/** `POST /step`: one step of the bare cell. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const fields = { tensors: tensorFields(StepRequest) }
  const config = { fields: () => fields }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'One step of the bare cell. The client owns the feedback: it computes the next h_in from h_out, and sends c_out back as c_in.',
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
