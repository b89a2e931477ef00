import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'
import { publish } from '../tensor/schema.ts'
import { ModelParams, problems } from './schemas.ts'

const Size = (description: string) => Type.Integer({ minimum: 1, description })

const ModelDescription = Type.Object({
  name: Type.String(),
  version: Type.String({ pattern: '^[0-9a-f]{16}$', description: 'A hash of the model\'s files.' }),
  default: Type.Boolean({ description: 'Whether this model answers if a request names none.' }),
  sizes: Type.Object({
    I: Size('Input size.'),
    Hi: Size('Input hidden size: what the cell reads.'),
    Ho: Size('Output hidden size: what the cell writes; also the size of the cell state.')
  }, { title: 'Sizes', description: 'The sizes of the cell.' }),
  cell: Type.Object({
    kind: Type.Enum(['lstm', 'gru', 'rnn']),
    activation: Type.Enum(['tanh', 'relu']),
    recurrent_activation: Type.Optional(Type.Enum(['sigmoid', 'hard_sigmoid'], { description: 'That of the gates of an LSTM or a GRU.' })),
    slope: Type.Optional(Type.Number({ description: 'That of the hard sigmoid.' }))
  }, { title: 'Cell', description: 'What each cell is.' }),
  feedback: Type.Object({
    policy: Type.String({ description: 'The name of the feedback policy.' }),
    context: Type.Unknown({ description: 'The JSON schema of the `context` that the policy needs from a sequence request.' })
  }, { additionalProperties: true, description: 'The feedback policy, with each of its options.' }),
  engine: Type.Object({ name: Type.String(), backend: Type.String() }),
  parameters: Type.Integer({ description: 'Number of trained parameters.' }),
  weight_bytes: Type.Integer({ description: 'Bytes of the weights, as float32.' }),
  unused_tensors: Type.Array(Type.String(), { description: 'Tensors in the model\'s file that nothing uses.' })
}, { title: 'Model', description: 'A served model.' })

const ModelList = Type.Object({ models: Type.Array(ModelDescription) }, { title: 'ModelList', description: 'Every served model.' })

function describeCell ({ kind, activation, gate }: Model['cell']): Static<typeof ModelDescription>['cell'] {
  if (kind === 'rnn') return { kind, activation }
  return { kind, activation, ...(gate === 'sigmoid' ? { recurrent_activation: gate } : { recurrent_activation: 'hard_sigmoid', slope: gate.slope }) }
}

/** `GET /models` and `GET /models/{model}`: what is served. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const describe = ({ name, version, shape: { I, Hi, Ho }, cell, policy, engine, parameters, unusedTensors }: Model): Static<typeof ModelDescription> => ({
    name,
    version,
    default: name === registry.defaultName,
    sizes: { I, Hi, Ho },
    cell: describeCell(cell),
    feedback: { ...policy.options, context: publish(policy.policy.context) },
    engine,
    parameters,
    weight_bytes: parameters * Float32Array.BYTES_PER_ELEMENT,
    unused_tensors: [...unusedTensors]
  })

  app.get('/models', {
    schema: {
      operationId: 'listModels',
      tags: ['models'],
      summary: 'List the models',
      response: { 200: ModelList, ...problems(401, 429, 503) }
    }
  }, async () => ({ models: registry.models.map(describe) }))

  app.get('/models/:model', {
    schema: {
      operationId: 'getModel',
      tags: ['models'],
      summary: 'Describe a model',
      params: ModelParams,
      response: { 200: ModelDescription, ...problems(401, 404, 429, 503) }
    }
  }, async ({ params }) => describe(registry.get(params.model)))
}

export default routes
