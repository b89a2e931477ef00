import { createHash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from '../tensor/typebox.ts'
import type { Session, SessionStore } from '../model/sessions/session.ts'
import { streamSteps, takeSteps, type Asked } from '../model/sessions/steps.ts'
import { IntegersSchema, nestedIntegerFields, tensorFields, TensorSchema } from '../tensor/schema.ts'
import { NDJSON } from '../wire/json.ts'
import { SAFETENSORS } from '../wire/safetensors.ts'
import { servedFields, withOptions } from './fields.ts'
import { answers, BODIES, ContextField, modelAnswer, ModelParams, problems, WorkHeaders } from './schemas.ts'

const vector = (description: string) => TensorSchema({ ranks: [1] }, { description })
const T = Type.Integer({ minimum: 0, description: 'How many steps the session has taken before this request. With it, a request is safe to send again; without it, the request applies to the session as it is now.' })
const Parts = Type.Array(Type.String({ minLength: 1 }), { uniqueItems: true, description: 'The parts to return, as in POST /sequence.' })

const Opening = Type.Object({
  h_in: Type.Optional(vector('What the first step reads as its h, instead of what the wiring would compute: [Hi].')),
  c_in: Type.Optional(vector('The first cell state of an LSTM: [Ho].')),
  h_0: Type.Optional(vector('The h that the first feedback reads: [Ho].')),
  state: Type.Optional(Type.String({ description: 'A token from an export, or from an answer of /step or /sequence: the session continues from there.' })),
  context: Type.Optional(ContextField),
  idle_timeout: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Seconds that the session may be idle before it ends, at most --session-timeout.' })),
  session: Type.Optional(Type.String({ description: 'From an export; ignored.' })),
  model: Type.Optional(Type.String({ description: 'From an export; ignored: the path names the model, and the token contains the model that it belongs to.' })),
  t: Type.Optional(Type.Integer({ description: 'From an export; ignored: the token contains it.' })),
  expires: Type.Optional(Type.String({ description: 'From an export; ignored.' }))
}, { additionalProperties: false, title: 'SessionRequest', description: 'Where a session begins: one row, without a batch dimension.' })

const Description = Type.Object({
  session: Type.String({ description: '128 random bits, base64url.' }),
  model: Type.String(),
  t: Type.Integer({ description: 'How many steps have been taken.' }),
  idle_timeout: Type.Number({ description: 'Seconds.' }),
  expires: Type.String({ format: 'date-time', description: 'When the session ends if nobody uses it.' })
}, { title: 'Session', description: 'A session: one row that continues from request to request.' })

const Export = Type.Object({
  ...Description.properties,
  state: Type.String({ description: 'A token that contains everything the row keeps, except the context.' }),
  context: Type.Optional(Type.Unknown({ description: 'The context that the session keeps.' }))
}, { title: 'SessionExport', description: 'The whole session. Send it to POST /models/{model}/sessions to continue it there.' })

const StepBody = Type.Object({
  x: Type.Optional(vector('The input: [I], less what the wiring adds to it.')),
  ids: Type.Optional(IntegersSchema<number>([0], 0, { description: 'Instead of x, if the model begins with an embedding: an index into its vocabulary.' })),
  t: Type.Optional(T),
  parts: Type.Optional(Parts)
}, { additionalProperties: false, title: 'SessionStepRequest', description: 'A step of a session.' })

const SequenceBody = Type.Object({
  x: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The inputs: [T][I].' })),
  ids: Type.Optional(IntegersSchema<number | readonly number[]>([0, 1], 1, { description: 'Instead of x, if the model begins with an embedding: [T], indices into its vocabulary.' })),
  t: Type.Optional(T),
  steps: Type.Optional(Type.Integer({ minimum: 1, description: 'Feed the same x this many times; x is then [1][I], and ids [1].' })),
  parts: Type.Optional(Parts),
  return_sequences: Type.Optional(Type.Boolean({ description: 'Whether the answer contains every step or only the last one.' }))
}, { additionalProperties: false, title: 'SessionSequenceRequest', description: 'Steps of a session: either all of them are taken or none.' })

const Taken = Type.Integer({ description: 'How many steps the session has now taken.' })
const StepAnswer = Type.Object({
  t: Taken,
  output: vector('The last layer\'s h: [Ho].'),
  y: Type.Optional(vector('The model\'s readout: [K]. Left out if the model has no readout.')),
  parts: Type.Optional(Type.Record(Type.String(), vector('The entry computed after the step; for lets that read x, and for `h`, `c` and `gates`, the entry of the step.')))
}, { title: 'SessionStepAnswer', description: 'The result of the step.' })
const SequenceAnswer = Type.Object({
  t: Taken,
  output: TensorSchema({ ranks: [2] }, { description: '[T][Ho]; with `return_sequences: false`, [1][Ho].' }),
  y: Type.Optional(TensorSchema({ ranks: [2] }, { description: 'The model\'s readout: [T][K]; with `return_sequences: false`, [1][K]. Left out if the model has no readout.' })),
  parts: Type.Optional(Type.Record(Type.String(), TensorSchema({ ranks: [2] }, { description: '[T][...] or [T + 1][...], as in POST /sequence.' })))
}, { title: 'SessionSequenceAnswer', description: 'The results of the steps.' })
const Line = Type.Object({
  t: Taken,
  output: Type.Optional(vector('[Ho]')),
  y: Type.Optional(vector('[K]')),
  parts: Type.Optional(Type.Record(Type.String(), vector('The entry computed after the step; for lets that read x, and for `h`, `c` and `gates`, the entry of the step.')))
}, { title: 'SessionLine', description: 'A step. The last line has only `t`: the session has then taken the steps.' })

const Params = Type.Object({ session: Type.String({ description: 'The id of the session.' }) })
const Options = Type.Object({ t: Type.Optional(T) }, { additionalProperties: false })
const Page = Type.Object({
  from: Type.Optional(Type.Integer({ minimum: 0, description: 'Where the page begins: `next` from the previous page. 0 if left out.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'The most sessions that the page contains. 100 if left out.' }))
}, { additionalProperties: false })

/** Sessions: rows that the service keeps between requests. */
const routes: FastifyPluginAsyncTypebox<{ sessions: SessionStore }> = async (app, { sessions }) => {
  const describe = ({ id, model, going, idleTimeout, expires }: Session): Static<typeof Description> => ({
    session: id, model: model.name, t: going.row.t, idle_timeout: idleTimeout, expires: new Date(expires).toISOString()
  })
  const tell = (reply: FastifyReply, session: Session): void => {
    reply.by(session.model).header('session-expires', new Date(session.expires).toISOString())
  }
  const asked = ({ url, bytes }: FastifyRequest, t: number | undefined): Asked => ({ t, digest: () => createHash('sha256').update(`${url} `).update(bytes).digest('base64url') })
  const taking = (body: typeof StepBody | typeof SequenceBody) => {
    const fields = { known: Object.keys(body.properties), tensors: tensorFields(body), nested: nestedIntegerFields(body) }
    return { work: true, bytes: true, fields: () => fields }
  }
  const common = { tags: ['sessions'], headers: WorkHeaders, consumes: BODIES }
  const PROBLEMS = problems(400, 401, 404, 409, 410, 413, 415, 422, 429, 500, 503, 504)

  app.post('/models/:model/sessions', {
    config: { work: true, model: true, fields: servedFields(Opening) },
    schema: {
      ...common,
      operationId: 'createSession',
      summary: 'Begin a session',
      description: 'Begins a row that the service keeps, with its context. If the store is full, the answer is a 503.',
      params: ModelParams,
      body: Opening,
      response: { 201: modelAnswer(Description), ...problems(400, 401, 404, 409, 413, 415, 422, 429, 503, 504) }
    }
  }, async (request, reply) => {
    const { body: { idle_timeout: idleTimeout, session: _s, model: _m, t: _t, expires: _e, ...opening }, key, call } = request
    const model = request.served()
    const going = model.open(opening)
    try {
      call?.reservation?.hold(going.bytes)
      const session = await sessions.create({ model, owner: key, going, idleTimeout })
      tell(reply, session)
      return await reply.code(201).header('location', `/sessions/${session.id}`).send(describe(session))
    } catch (error) {
      going.context?.dispose()
      throw error
    }
  })

  app.get('/models/:model/sessions', {
    config: { model: true },
    schema: {
      operationId: 'listSessions',
      tags: ['sessions'],
      summary: 'List the sessions of a model',
      description: 'A page of the model\'s sessions, in order of creation. With API keys, only those of the caller\'s key.',
      params: ModelParams,
      querystring: Page,
      response: { 200: Type.Object({ sessions: Type.Array(Description), next: Type.Optional(Type.Integer()) }, { title: 'SessionList', description: 'A page of sessions.' }), ...problems(400, 401, 404, 429, 503) }
    }
  }, async (request) => {
    const { query: { from = 0, limit = 100 }, key } = request
    const { sessions: page, next } = await sessions.page(request.served().name, key, from, limit)
    return { sessions: page.map(describe), ...(next !== undefined && { next }) }
  })

  app.get('/sessions/:session', {
    schema: {
      operationId: 'getSession',
      tags: ['sessions'],
      summary: 'Export a session',
      params: Params,
      response: { 200: answers(Export, 'The whole session. As safetensors: the bytes of `state` and the tensors of the context.'), ...problems(401, 404, 410, 429, 503) }
    }
  }, async ({ params, key }, reply) => {
    const session = await sessions.get(params.session, key)
    tell(reply, session)
    const { model, going: { row, context } } = session
    const state = model.token(row)
    if (reply.format === SAFETENSORS) return reply.answer({ state, ...Object(context?.given) })
    return reply.answer({ ...describe(session), state, ...(context !== undefined && { context: context.given }) })
  })

  app.delete('/sessions/:session', {
    schema: { operationId: 'deleteSession', tags: ['sessions'], summary: 'End a session', params: Params, response: { 204: Type.Null({ description: 'The session has ended.' }), ...problems(401, 404, 410, 429, 503) } }
  }, async ({ params, key }, reply) => {
    await sessions.end(params.session, key)
    return await reply.code(204).send(null)
  })

  app.post('/sessions/:session/step', {
    config: taking(StepBody),
    schema: {
      ...common,
      operationId: 'stepSession',
      summary: 'Take a step in a session',
      description: 'A step that fails leaves the session unchanged.',
      params: Params,
      querystring: Options,
      body: StepBody,
      response: { 200: answers(StepAnswer, 'The result of the step.'), ...PROBLEMS }
    }
  }, async (request, reply) => {
    const { t, x, ids, parts } = withOptions(request.body, request.query)
    const session = await sessions.recall(request.params.session, request.key, t)
    tell(reply, session)
    return reply.answer(await takeSteps(sessions, session, asked(request, t), async ({ model, going }) => await model.advance(going, { x, ids, parts }, true, request.call)))
  })

  app.post('/sessions/:session/sequence', {
    config: { ...taking(SequenceBody), formats: [NDJSON] },
    schema: {
      ...common,
      operationId: 'sequenceSession',
      summary: 'Take many steps in a session',
      description: 'Either all of the steps are taken or none. As NDJSON, the last line confirms that they have been taken.',
      params: Params,
      querystring: Options,
      body: SequenceBody,
      response: { 200: answers(SequenceAnswer, 'The results of the steps.', { [NDJSON]: { schema: Line } }), ...PROBLEMS }
    }
  }, async (request, reply) => {
    const { t, ...steps } = withOptions(request.body, request.query)
    const { params: { session: id }, key } = request
    // Streamed lines cannot be taken back.
    const streamed = reply.format === NDJSON
    const session = streamed ? await sessions.get(id, key, t) : await sessions.recall(id, key, t)
    tell(reply, session)
    if (streamed) return await reply.stream(streamSteps(sessions, session, asked(request, t), ({ model, going }) => model.follow(going, steps, request.call)))
    return reply.answer(await takeSteps(sessions, session, asked(request, t), async ({ model, going }) => await model.advance(going, steps, false, request.call)))
  })
}

export default routes
