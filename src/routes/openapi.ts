import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from '../tensor/typebox.ts'
import type { Registry } from '../model/registry.ts'
import { addExamples, addModelExamples } from '../plugins/openapi-examples.ts'
import { cutToModel } from '../plugins/openapi-model.ts'
import { modelAnswer, ModelParams, problems } from './schemas.ts'

/** `GET /openapi.json` and `GET /models/{model}/openapi.json`: the OpenAPI documents of the service, and of one model. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const copy = async () => JSON.parse(JSON.stringify(await app.openapi()))

  app.get('/openapi.json', { config: { open: true }, schema: { hide: true } }, async () => addExamples(await copy(), registry))

  app.get('/models/:model/openapi.json', {
    config: { open: true, model: true },
    schema: {
      security: [],
      operationId: 'getModelOpenapi',
      tags: ['models'],
      summary: 'The OpenAPI document of a model',
      description: 'OpenAPI 3.1, with the model\'s own sizes, the schema of its context, and examples that run.',
      params: ModelParams,
      response: { 200: modelAnswer(Type.Unsafe<object>({ type: 'object', additionalProperties: true, description: 'The document.' })), ...problems(404, 429, 503) }
    }
  }, async (request) => {
    const model = request.served()
    return addModelExamples(cutToModel(await copy(), model), model)
  })
}

export default routes
