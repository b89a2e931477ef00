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
  default: Type.Boolean({ description: 'Whether this model answers requests that name none.' }),
  version: Type.String({ description: 'A hash of the model\'s files: model.safetensors, config.json, feedback.mjs. Replicas that serve the same files have the same version.' }),
  layers: Size('Number of layers (L).'),
  directions: Type.Integer({ minimum: 1, maximum: 2, description: 'Number of directions (D). With two, the model accepts only whole sequences.' }),
  sizes: Type.Object({
    I: Type.Integer({ minimum: 0, description: 'Input size: the width of the x that the first cell reads; 0 if it reads none.' }),
    Hi: Size('Input hidden size: the width of the h that the first cell reads.'),
    Ho: Size('Output hidden size: the width of the h that a cell writes.')
  }, { title: 'Sizes', description: 'The sizes of the cell.' }),
  cell: Type.Object({
    kind: Type.Enum(['lstm', 'gru', 'rnn']),
    activation: Type.Enum(['tanh', 'relu']),
    recurrent_activation: Type.Optional(Type.Enum(['sigmoid', 'hard_sigmoid'], { description: 'The activation of the gates of an LSTM or a GRU.' })),
    slope: Type.Optional(Type.Number({ description: 'The slope of the hard sigmoid.' }))
  }, { title: 'Cell', description: 'The kind of the cells, and their activations.' }),
  proj_size: Type.Optional(Size('The size to which the outputs of the cells are projected, as in torch.nn.LSTM; left out if they are not projected.')),
  widths: Type.Object({
    step_x: Type.Optional(Width('`x` of a step: everything that the first cell reads, I. Left out if the model accepts only whole sequences.')),
    sequence_x: Width('`x` of a sequence: I, less what the wiring adds to x; 0 if a sequence has no x.'),
    h_in: Size('`h_in`, and `h_next` if the server knows what feeds the next step.'),
    h_out: Size('`h_out`, of all layers and directions.'),
    c: Width('`c_in` and `c_out`, of all layers and directions; 0 if the cells have no c.'),
    output: Size('`output`, of the last layer, both directions side by side.')
  }, { title: 'Widths', description: 'How many numbers the vectors of requests and answers have.' }),
  feedback: Type.Object({
    policy: Type.String({ description: 'The name of the feedback policy.' }),
    context: Type.Unknown({ description: 'The JSON schema of the `context` that the policy needs from a sequence request.' })
  }, { additionalProperties: true, description: 'The feedback policy, with each of its options.' }),
  input: Type.Optional(Type.Object({
    embedding: Type.Optional(Type.String({ description: 'The tensor whose rows the requests\' `ids` select.' })),
    vocabulary: Type.Optional(Type.Integer({ minimum: 1, description: 'The number of ids, which begin at 0.' })),
    size: Type.Optional(Size('The width of x in requests, if they have no ids.')),
    width: Size('The width of the x that it computes.')
  }, { title: 'Input', description: 'What comes before the cells and computes their x.' })),
  readout: Type.Optional(Type.Object({
    K: Size('The width of `y`.'),
    layers: Type.Array(Type.Unknown(), { description: 'Its layers, as in config.json.' })
  }, { title: 'Readout', description: 'What computes `y`.' })),
  wiring: Type.Optional(Type.Object({
    initial: Type.Enum(['read', 'x', 'no-read']),
    residual: Type.Boolean(),
    read: Type.Optional(Type.Unknown({ description: 'How the attention read is computed.' })),
    let: Type.Unknown({ description: 'Further parts, by name.' }),
    x: Type.Unknown({ description: 'What the first cell reads as its x.' }),
    h_in: Type.Unknown({ description: 'What it reads as its h; `module` if feedback.mjs computes it.' })
  }, {
    title: 'Wiring',
    description: 'What feeds the next step, in the same form for every policy: as in config.json, except that linear layers have widths instead of the names of tensors. Left out if only the client knows.'
  })),
  parts: Type.Array(Type.Object({
    name: Type.String({ description: 'Its name in `parts`.' }),
    width: Type.Optional(Size('The width of an entry. Left out for `attention`, whose width is the number of vectors in the request\'s largest support set.')),
    entries: Type.Enum(['T', 'T + 1'], { description: '`T`: an entry belongs to its step. `T + 1`: entry t is what fed step t, entry T is what would feed the next step.' })
  }, { title: 'ModelPart', description: 'A part that a sequence can return.' }), {
    description: 'The parts that a sequence can return: `read`, `attention`, the wiring\'s lets; `h` and `c` of all layers and directions, and their `gates`.'
  }),
  state: Type.Object({
    width: Size('How many numbers it has.'),
    slices: Type.Array(Type.Object({
      name: Type.String({ description: '`h{n}` and `c{n}` are what layer n wrote and its carry; `h_in` is what the first layer reads next, if that is not its own h; `read` and the lets are already computed.' }),
      offset: Type.Integer({ minimum: 0 }),
      width: Size('How many numbers it has.')
    }, { title: 'StateSlice', description: 'A named part of the state.' }))
  }, { title: 'StateLayout', description: 'What the model keeps for a row between two steps: one float32 vector with named slices.' }),
  engine: Type.Object({ name: Type.String(), backend: Type.String() }),
  parameters: Type.Integer({ description: 'Number of trained parameters, in the cells and in the wiring.' }),
  weights: Type.Enum(['f32', 'bf16', 'int8'], { description: 'How the matrices of its cells and linear layers are held: as float32, or rounded to bfloat16 or to 8-bit integers with a scale for each row. All sums are float32.' }),
  weight_bytes: Type.Integer({ description: 'Bytes of the weights as they are held. The tfjs engine holds rounded weights as float32.' }),
  unused_tensors: Type.Array(Type.String(), { description: 'Tensors in the model\'s file that nothing uses.' }),
  error: Type.Optional(Type.String({ description: 'Why the newest files of the model are not served. The service continues to serve this version.' }))
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
