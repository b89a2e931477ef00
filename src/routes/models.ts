import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from '../tensor/typebox.ts'
import type { ModelInput } from '../model/input.ts'
import type { Model } from '../model/model.ts'
import { widthOfX } from '../model/network.ts'
import type { Registry } from '../model/registry.ts'
import { publish } from '../tensor/schema.ts'
import { modelAnswer, ModelParams, problems } from './schemas.ts'

const Size = (description: string) => Type.Integer({ minimum: 1, description })

const Width = (description: string) => Type.Integer({ minimum: 0, description })

const ModelDescription = Type.Object({
  name: Type.String(),
  default: Type.Boolean({ description: 'Whether this model answers if a request names none.' }),
  version: Type.String({ description: 'A hash of the model\'s files: model.safetensors, config.json, feedback.mjs. Two replicas that serve the same files show the same one.' }),
  layers: Size('Number of layers (L).'),
  directions: Type.Integer({ minimum: 1, maximum: 2, description: 'Number of directions (D). With two, the model takes whole sequences only.' }),
  sizes: Type.Object({
    I: Type.Integer({ minimum: 0, description: 'Input size: what the first cell reads as its x; 0 if it reads none.' }),
    Hi: Size('Input hidden size: what the first cell reads as its h.'),
    Ho: Size('Output hidden size: what a cell writes.')
  }, { title: 'Sizes', description: 'The sizes of the cell.' }),
  cell: Type.Object({
    kind: Type.Enum(['lstm', 'gru', 'rnn']),
    activation: Type.Enum(['tanh', 'relu']),
    recurrent_activation: Type.Optional(Type.Enum(['sigmoid', 'hard_sigmoid'], { description: 'That of the gates of an LSTM or a GRU.' })),
    slope: Type.Optional(Type.Number({ description: 'That of the hard sigmoid.' }))
  }, { title: 'Cell', description: 'What each cell is.' }),
  proj_size: Type.Optional(Size('What the outputs of its cells are projected to, as in torch.nn.LSTM; left out if they are not.')),
  widths: Type.Object({
    step_x: Type.Optional(Width('`x` of a step: all that the first cell reads, I. Left out if the model takes whole sequences only.')),
    sequence_x: Width('`x` of a sequence: what the wiring leaves of I; 0 if a sequence brings none.'),
    h_in: Size('`h_in`, and `h_next` if the server knows what feeds the next step.'),
    h_out: Size('`h_out`: in a stack those of all layers and directions.'),
    c: Width('`c_in` and `c_out`, of all layers and directions; 0 if the cells have no c.'),
    output: Size('`output`: that of the last layer, both directions\' side by side.')
  }, { title: 'Widths', description: 'How many numbers the vectors of requests and answers have.' }),
  feedback: Type.Object({
    policy: Type.String({ description: 'The name of the feedback policy.' }),
    context: Type.Unknown({ description: 'The JSON schema of the `context` that the policy needs from a sequence request.' })
  }, { additionalProperties: true, description: 'The feedback policy, with each of its options.' }),
  input: Type.Optional(Type.Object({
    embedding: Type.Optional(Type.String({ description: 'The tensor that requests bring `ids` for.' })),
    vocabulary: Type.Optional(Type.Integer({ minimum: 1, description: 'How many ids there are, from 0 on.' })),
    size: Type.Optional(Size('How many numbers of x requests bring, if they bring no ids.')),
    width: Size('Width of the x that is made.')
  }, { title: 'Input', description: 'What stands in front of the cells, and makes their x.' })),
  readout: Type.Optional(Type.Object({
    K: Size('Numbers of `y`.'),
    layers: Type.Array(Type.Unknown(), { description: 'Its layers, as config.json has them.' })
  }, { title: 'Readout', description: 'What makes `y`.' })),
  wiring: Type.Optional(Type.Object({
    initial: Type.Enum(['read', 'x', 'no-read']),
    residual: Type.Boolean(),
    read: Type.Optional(Type.Unknown({ description: 'How the attention read is made.' })),
    let: Type.Unknown({ description: 'Further parts, by name.' }),
    x: Type.Unknown({ description: 'What the first cell reads as its x.' }),
    h_in: Type.Unknown({ description: 'What it reads as its h; `module` if feedback.mjs makes it.' })
  }, {
    title: 'Wiring',
    description: 'What feeds the next step, whatever the policy\'s name: as config.json would say it, except that linear layers show their widths in the place of tensors\' names. Left out if only the client knows.'
  })),
  parts: Type.Array(Type.Object({
    name: Type.String({ description: 'Its name in `parts`.' }),
    width: Type.Optional(Size('Numbers of an entry. Left out of `attention`, which has as many as the request\'s largest support set has vectors.')),
    entries: Type.Enum(['T', 'T + 1'], { description: '`T`: an entry belongs to its step. `T + 1`: entry t is what fed step t, entry T what would feed the next one.' })
  }, { title: 'ModelPart', description: 'A part that a sequence can answer.' }), {
    description: 'The parts that a sequence can answer: `read`, `attention`, the wiring\'s lets; `h` and `c` of all layers and directions, and their `gates`.'
  }),
  state: Type.Object({
    width: Size('Numbers.'),
    slices: Type.Array(Type.Object({
      name: Type.String({ description: '`h{n}` and `c{n}` are what layer n wrote and its carry; `h_in` is what the first layer reads next, if that is not its own h; `read` and the lets are made already.' }),
      offset: Type.Integer({ minimum: 0 }),
      width: Size('Numbers.')
    }, { title: 'StateSlice', description: 'A named part of the state.' }))
  }, { title: 'StateLayout', description: 'What the model keeps of a row between two steps: one float32 vector with named slices.' }),
  engine: Type.Object({ name: Type.String(), backend: Type.String() }),
  parameters: Type.Integer({ description: 'Number of trained parameters, of the cells and of the wiring.' }),
  weights: Type.Enum(['f32', 'bf16', 'int8'], { description: 'How the matrices of its cells and linear layers are held: as float32, or rounded to bfloat16 or to 8-bit integers with a scale for each row. All sums are float32.' }),
  weight_bytes: Type.Integer({ description: 'Bytes of the weights as they are held. The engine tfjs holds rounded ones as float32.' }),
  unused_tensors: Type.Array(Type.String(), { description: 'Tensors in the model\'s file that nothing uses.' }),
  error: Type.Optional(Type.String({ description: 'Why the newest files of the model are not what is served: this version serves on.' }))
}, { title: 'Model', description: 'A served model.' })

const ModelList = Type.Object({ models: Type.Array(ModelDescription) }, { title: 'ModelList', description: 'Every served model.' })

function describeCell ({ kind, activation, gate }: Model['cell']): Static<typeof ModelDescription>['cell'] {
  if (kind === 'rnn') return { kind, activation }
  return { kind, activation, ...(gate === 'sigmoid' ? { recurrent_activation: gate } : { recurrent_activation: 'hard_sigmoid', slope: gate.slope }) }
}

/** `GET /models` and `GET /models/{model}`: what is served. */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  const describe = (model: Model): Static<typeof ModelDescription> => {
    const { name, version, cell, projSize, policy, input, readout, wiring, parts, state, engine, parameters, precision, weightBytes, unusedTensors } = model
    const error = registry.faults.get(name)
    const { layers, directions, I, Hi, Ho, step, sequence, hIn, hOut, c, output } = model.shape
    return {
      name,
      default: name === registry.defaultName,
      version,
      layers,
      directions,
      sizes: { I, Hi, Ho },
      cell: describeCell(cell),
      ...(projSize !== undefined && { proj_size: projSize }),
      widths: { ...(directions === 1 && { step_x: widthOfX(step) }), sequence_x: widthOfX(sequence), h_in: hIn, h_out: hOut, c, output },
      feedback: { ...policy.options, context: publish(policy.policy.context) },
      ...(input !== undefined && { input: describeInput(input) }),
      ...(readout !== undefined && { readout: { K: sequence.y, layers: Array.isArray(readout) ? readout : [readout] } }),
      ...(wiring !== undefined && { wiring }),
      parts: parts.map(({ name, width, next }) => ({ name, ...(width !== undefined && { width }), entries: next ? 'T + 1' : 'T' })),
      state: { width: state.width, slices: [...state.slices] },
      engine,
      parameters,
      weights: precision,
      weight_bytes: weightBytes,
      unused_tensors: [...unusedTensors],
      ...(error !== undefined && { error })
    }
  }

  app.get('/models', {
    schema: {
      operationId: 'listModels',
      tags: ['models'],
      summary: 'List the models',
      response: { 200: ModelList, ...problems(401, 429, 503) }
    }
  }, async () => ({ models: registry.models.map(describe) }))

  app.get('/models/:model', {
    config: { model: true },
    schema: {
      operationId: 'getModel',
      tags: ['models'],
      summary: 'Describe a model',
      params: ModelParams,
      response: { 200: modelAnswer(ModelDescription), ...problems(401, 404, 429, 503) }
    }
  }, async (request) => describe(request.served()))
}

function describeInput (input: ModelInput): NonNullable<Static<typeof ModelDescription>['input']> {
  const { width } = input
  return input.kind === 'embedding' ? { embedding: input.name, vocabulary: input.vocabulary, width } : { size: input.linear.in, width }
}

export default routes
