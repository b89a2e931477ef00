import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import Type, { type Static } from '../tensor/typebox.ts'
import type { Call } from '../model/call.ts'
import type { Model } from '../model/model.ts'
import type { SequenceRequest as Request } from '../model/request.ts'
import { TensorSchema } from '../tensor/schema.ts'
import { NDJSON } from '../wire/json.ts'
import { servedFields, withOptions } from './fields.ts'
import { answers, BODIES, ContextField, FirstState, IdsSchema, LastState, ModelParams, Problem, problems, StateField, StateOption, TokensField, WorkHeaders } from './schemas.ts'

const ANSWER_FIELDS = ['output', 'y', 'h_out', 'c_out', 'h_next', 'state', 'parts'] as const

const Parts = Type.Array(Type.String({ minLength: 1 }), {
  uniqueItems: true, description: 'The parts to return. From the wiring: `read`, `attention` or the names of its lets. From every layer and direction: `h`, `c`, `gates`. GET /models/{model} lists the parts of a model.'
})
const ReturnSequences = Type.Boolean({ description: 'Whether `output`, `y` and `parts` contain every step (`true`, the default) or only each row\'s last one.' })
const AnswerFields = Type.Array(Type.Enum(ANSWER_FIELDS, { title: 'AnswerField' }), { uniqueItems: true, minItems: 1, description: 'The fields to return; all if left out.' })
const Steps = Type.Integer({ minimum: 1, description: 'Feed the same x this many times; x is then [B][1][I]. Required if the network reads no x.' })

export const SequenceRequest = Type.Object({
  x: Type.Optional(TensorSchema({ ranks: [1, 2, 3], documented: 3, ragged: true }, {
    description: 'The inputs: [B][T][I]; T may differ between rows. Leave it out if the network reads no x.'
  })),
  ids: Type.Optional(IdsSchema(2, 'Instead of x, if the model begins with an embedding: [B][T], indices into its vocabulary; T may differ between rows.')),
  ...FirstState,
  lengths: Type.Optional(Type.Array(Type.Integer(), {
    description: 'How many steps each row takes, 1 to T: [B]. After a row\'s last step, its output is zero.'
  })),
  steps: Type.Optional(Steps),
  context: Type.Optional(ContextField),
  state: Type.Optional(StateField),
  parts: Type.Optional(Parts),
  return_sequences: Type.Optional(ReturnSequences),
  fields: Type.Optional(AnswerFields)
}, {
  additionalProperties: false,
  title: 'SequenceRequest',
  description: 'T steps. The model\'s wiring computes the feedback.'
})

const PartsAnswer = (rank: number, description: string) => Type.Record(Type.String(), TensorSchema({ ranks: [rank - 1, rank], documented: rank }, { description }))

const SequenceAnswer = Type.Object({
  output: Type.Optional(TensorSchema({ ranks: [2, 3], documented: 3 }, { description: 'The last layer\'s h after every step: [B][T][Ho], both directions side by side; with `return_sequences: false`, [B][1][Ho].' })),
  y: Type.Optional(TensorSchema({ ranks: [2, 3], documented: 3 }, { description: 'The model\'s readout after every step: [B][T][K]; with `return_sequences: false`, or if the readout reads `h_last`, [B][1][K]. Left out if the model has no readout.' })),
  ...LastState,
  h_next: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, {
    description: 'What the wiring would feed to the next step: [B][Hi]. Send it as h_in, and c_out as c_in, to continue. Left out if only the client knows it.'
  })),
  state: Type.Optional(TokensField),
  parts: Type.Optional(PartsAnswer(3, '[B][T + 1][...]: entry t is what fed step t, entry T is what would feed the next step. Lets that read x, and `h`, `c` and `gates`, have T entries, one per step. With `return_sequences: false`, [B][1][...]: only the last entry.'))
}, { title: 'SequenceAnswer', description: 'The outputs, and the states to continue from.' })

const FIELD = `(?:${ANSWER_FIELDS.join('|')})`

const SequenceOptions = Type.Object({
  state: Type.Optional(StateOption),
  steps: Type.Optional(Type.Integer({ minimum: 1, description: 'For a safetensors body: feed the same x this many times. In a JSON body, this option and those below are fields.' })),
  return_sequences: Type.Optional(Type.Boolean({ description: 'For a safetensors body: whether `output`, `y` and `parts` contain every step or only each row\'s last one.' })),
  parts: Type.Optional(Type.String({ minLength: 1, description: 'For a safetensors body: the parts to return, separated by commas.' })),
  fields: Type.Optional(Type.String({ pattern: `^${FIELD}(?:,${FIELD})*$`, description: 'For a safetensors body: the fields to return, separated by commas.' }))
}, { additionalProperties: false })

const SequenceLine = Type.Union([
  Type.Object({
    t: Type.Integer({ minimum: 0 }),
    output: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The last layer\'s h after step t: [B][Ho].' })),
    y: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The model\'s readout after step t: [B][K].' })),
    parts: Type.Optional(PartsAnswer(2, '[B][...]: the entry computed after step t; for lets that read x, and for `h`, `c` and `gates`, the entry of step t.'))
  }, { title: 'SequenceStep', description: 'A step. With `return_sequences: false`, the answer has no such lines.' }),
  Type.Object({
    y: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The model\'s readout, if it reads `h_last`: [B][K].' })),
    ...Type.Pick(SequenceAnswer, ['h_out', 'c_out', 'h_next', 'state']).properties
  }, { title: 'SequenceStates', description: 'The last line: the states to continue from.' }),
  Type.Object({ error: Problem }, { title: 'SequenceFailure', description: 'The last line, if the request fails after the first line.' })
], { title: 'SequenceLine', description: 'One line of a streamed answer.' })

/** `POST /sequence`: many steps; the server computes the feedback. */
const routes: FastifyPluginAsyncTypebox = async (app) => {
  const config = { work: true, model: true, formats: [NDJSON], fields: servedFields(SequenceRequest) }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'T steps. The model\'s wiring computes each h_in from the last h_out, including the first one, unless the request has h_in. ' +
      'As a shorthand, a request may leave out [B] everywhere; the answer then has none either.',
    consumes: BODIES,
    querystring: SequenceOptions,
    body: SequenceRequest,
    response: { 200: answers(SequenceAnswer, 'The outputs, and the states to continue from.', { [NDJSON]: { schema: SequenceLine } }), ...problems(400, 401, 404, 409, 413, 415, 422, 429, 500, 503, 504) }
  }

  app.post('/sequence', {
    config,
    schema: { ...schema, operationId: 'sequence', summary: 'Run the default model over a sequence' }
  }, async (request, reply) => await answer(request.served(), withOptions(request.body, splitLists(request.query)), request.call, reply))

  app.post('/models/:model/sequence', {
    config,
    schema: { ...schema, operationId: 'sequenceModel', summary: 'Run a model over a sequence', params: ModelParams }
  }, async (request, reply) => await answer(request.served(), withOptions(request.body, splitLists(request.query)), request.call, reply))
}

async function answer (model: Model, request: Request, call: Call | undefined, reply: FastifyReply): Promise<FastifyReply> {
  if (reply.format === NDJSON) return await reply.stream(withFields(model.stream(request, call), request.fields))
  return reply.answer(pick(await model.sequence(request, call), request.fields))
}

/** The lines of a stream, each with only the requested fields. */
async function * withFields (lines: ReturnType<Model['stream']>, fields: readonly string[] | undefined): AsyncGenerator<readonly object[], void> {
  for await (const some of lines) yield fields === undefined ? some : some.map((line) => pick(line, ['t', ...fields]))
}

function pick (answer: object, fields: readonly string[] | undefined): object {
  return fields === undefined ? answer : Object.fromEntries(Object.entries(answer).filter(([name]) => fields.includes(name)))
}

/** Lists in the query string are separated by commas. */
function splitLists ({ parts, fields, ...options }: Static<typeof SequenceOptions>): object {
  return { ...options, ...(parts !== undefined && { parts: parts.split(',') }), ...(fields !== undefined && { fields: fields.split(',') }) }
}

export default routes
