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
  uniqueItems: true, description: 'Parts to answer: of the wiring `read`, `attention`, or the names of its lets; of every layer and direction `h`, `c`, `gates`. GET /models/{model} lists those of a model.'
})
const ReturnSequences = Type.Boolean({ description: 'Whether `output`, `y` and `parts` have every step (`true`, the default) or each row\'s last one alone.' })
const AnswerFields = Type.Array(Type.Enum(ANSWER_FIELDS, { title: 'AnswerField' }), { uniqueItems: true, minItems: 1, description: 'The fields that the answer is to have; all if left out.' })
const Steps = Type.Integer({ minimum: 1, description: 'Feed the same x this many times; x is then [B][1][I]. Required if the network reads no x.' })

export const SequenceRequest = Type.Object({
  x: Type.Optional(TensorSchema({ ranks: [1, 2, 3], documented: 3, ragged: true }, {
    description: 'The inputs: [B][T][I], whose rows may be ragged. Left out if the network reads none.'
  })),
  ids: Type.Optional(IdsSchema(2, 'In the place of x, for a model that begins with an embedding: [B][T], rows of its vocabulary. They may be ragged.')),
  ...FirstState,
  lengths: Type.Optional(Type.Array(Type.Integer(), {
    description: 'How many steps each row takes, 1 to T: [B]. After its last step a row\'s output is zero.'
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
  description: 'T steps, the feedback by the model\'s wiring.'
})

const PartsAnswer = (rank: number, description: string) => Type.Record(Type.String(), TensorSchema({ ranks: [rank - 1, rank], documented: rank }, { description }))

const SequenceAnswer = Type.Object({
  output: Type.Optional(TensorSchema({ ranks: [2, 3], documented: 3 }, { description: 'The last layer\'s h after every step: [B][T][Ho], both directions\' side by side; with `return_sequences: false` [B][1][Ho].' })),
  y: Type.Optional(TensorSchema({ ranks: [2, 3], documented: 3 }, { description: 'The model\'s readout after every step: [B][T][K]; with `return_sequences: false`, or if it is made of `h_last`, [B][1][K]. Left out if it has none.' })),
  ...LastState,
  h_next: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, {
    description: 'What the wiring would feed to the next step: [B][Hi]. Send it as h_in, and c_out as c_in, to go on. Left out if only the client knows it.'
  })),
  state: Type.Optional(TokensField),
  parts: Type.Optional(PartsAnswer(3, '[B][T + 1][...]: entry t is what fed step t, entry T what would feed the next one. A let that takes x, `h`, `c` and `gates` have T entries, of the steps themselves. With `return_sequences: false` [B][1][...], the last entry alone.'))
}, { title: 'SequenceAnswer', description: 'The outputs, and the states to continue from.' })

const FIELD = `(?:${ANSWER_FIELDS.join('|')})`

const SequenceOptions = Type.Object({
  state: Type.Optional(StateOption),
  steps: Type.Optional(Type.Integer({ minimum: 1, description: 'For a body of safetensors: feed the same x this many times. A JSON body has this option and those below as fields.' })),
  return_sequences: Type.Optional(Type.Boolean({ description: 'For a body of safetensors: whether `output`, `y` and `parts` have every step, or each row\'s last one alone.' })),
  parts: Type.Optional(Type.String({ minLength: 1, description: 'For a body of safetensors: the parts to answer, with commas between them.' })),
  fields: Type.Optional(Type.String({ pattern: `^${FIELD}(?:,${FIELD})*$`, description: 'For a body of safetensors: the fields to answer, with commas between them.' }))
}, { additionalProperties: false })

const SequenceLine = Type.Union([
  Type.Object({
    t: Type.Integer({ minimum: 0 }),
    output: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The last layer\'s h after step t: [B][Ho].' })),
    y: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The model\'s readout after step t: [B][K].' })),
    parts: Type.Optional(PartsAnswer(2, '[B][...]: the entry that was made after step t; of a let that takes x, `h`, `c` and `gates` that of step t.'))
  }, { title: 'SequenceStep', description: 'A step; none with `return_sequences: false`.' }),
  Type.Object({
    y: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The model\'s readout, if it is made of `h_last`: [B][K].' })),
    ...Type.Pick(SequenceAnswer, ['h_out', 'c_out', 'h_next', 'state']).properties
  }, { title: 'SequenceStates', description: 'The last line: the states to continue from.' }),
  Type.Object({ error: Problem }, { title: 'SequenceFailure', description: 'The last line, if the request fails after the first.' })
], { title: 'SequenceLine', description: 'One line of a streamed answer.' })

/** `POST /sequence`: many steps; the server computes the feedback. */
const routes: FastifyPluginAsyncTypebox = async (app) => {
  const config = { work: true, model: true, formats: [NDJSON], fields: servedFields(SequenceRequest) }
  const schema = {
    tags: ['cells'],
    headers: WorkHeaders,
    description: 'T steps. The model\'s wiring makes each h_in from the last h_out; it does so before every step, the first included, ' +
      'unless the request gives h_in for that. As a shorthand a request may leave [B] out everywhere; then the answer has none either.',
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
