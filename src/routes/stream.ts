import { createHash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from '../tensor/typebox.ts'
import { InputError } from '../errors.ts'
import type { Call, Reservation } from '../model/call.ts'
import { MAX_WHOLE } from '../model/limits.ts'
import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'
import { openRow, sessionRow, type Row } from '../model/sessions/rows.ts'
import type { SessionStore } from '../model/sessions/session.ts'
import { HttpError } from '../plugins/errors.ts'
import type { Conversation, Frame, FrameAnswer } from '../plugins/sockets/connection.ts'
import { compile, TensorSchema } from '../tensor/schema.ts'
import { readSteps, writeSteps, writeText, type BinarySteps } from '../wire/frames.ts'
import type { Json } from '../wire/json.ts'
import { LARGE, type LargeJson } from '../wire/large-json.ts'
import type { Fields, Hold } from '../wire/tensor-paths.ts'
import { modelFields } from './fields.ts'
import { ContextField, IdsSchema, modelAnswer, ModelParams, problems } from './schemas.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** On a socket route: the row that the frames advance. */
    row: Row | undefined
  }
}

/** The paths of sockets. */
export const STREAM_PATH = /^\/models\/[^/]+\/stream$/

const vector = (description: string) => TensorSchema({ ranks: [1] }, { description })

const StreamFrame = Type.Object({
  begin: Type.Optional(Type.Boolean({ description: 'Begin again, whatever steps the row has taken.' })),
  h_in: Type.Optional(vector('Where the row begins: what its first step reads as its h, [Hi].')),
  c_in: Type.Optional(vector('Where the row begins: the first cell state of an LSTM, [Ho].')),
  h_0: Type.Optional(vector('Where the row begins: the h that the first feedback reads, [Ho].')),
  context: Type.Optional(ContextField),
  state: Type.Optional(Type.Unsafe<string | boolean>({ type: ['string', 'boolean'], description: 'A token to continue from; or `true` for a token of the row after the steps.' })),
  t: Type.Optional(Type.Integer({ minimum: 0, description: 'How many steps have been taken before; if the row has taken another number, the answer is a 409.' })),
  x: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The input of one step, [I], or of many, [T][I].' })),
  ids: Type.Optional(IdsSchema(1, 'Instead of x, if the model begins with an embedding: one id, or a list, [T].')),
  steps: Type.Optional(Type.Integer({ minimum: 1, description: 'Feed the same x this many times.' })),
  parts: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { uniqueItems: true, description: 'The parts to return, as in POST /sequence.' })),
  return_sequences: Type.Optional(Type.Boolean({ description: 'Whether the answer contains every step or only the last one.' }))
}, { additionalProperties: false, title: 'StreamFrame', description: 'A text frame: where the row begins, unless an earlier frame has set that, and steps.' })

const FIELD = '(?:output|y|parts|state)'
const StreamOptions = Type.Object({
  session: Type.Optional(Type.String({ minLength: 1, description: 'The session that takes the steps; if left out, the connection has a row of its own.' })),
  fields: Type.Optional(Type.String({ pattern: `^${FIELD}(?:,${FIELD})*$`, description: 'The fields to return in addition to `t`, separated by commas; all if left out. The answer to a binary frame contains only `output` and `y`.' }))
}, { additionalProperties: false })

export interface StreamRoutes {
  readonly registry: Registry
  readonly sessions: SessionStore
  readonly json: Json
  readonly large: LargeJson
  /** Makes the reservation of a row. */
  reserve (): Reservation
}

/** `GET /models/{model}/stream`: a WebSocket whose connection is the session. */
const routes: FastifyPluginAsyncTypebox<StreamRoutes> = async (app, { registry, sessions, json, large, reserve }) => {
  const judge = compile(StreamFrame)
  const fieldsOf = modelFields(StreamFrame)
  const readers = new WeakMap<Fields, (body: Buffer, hold: Hold) => unknown>()
  const readerOf = (model: Model): (body: Buffer, hold: Hold) => unknown => {
    const fields = fieldsOf(model)
    const reader = readers.get(fields) ?? json.reader(fields)
    readers.set(fields, reader)
    return reader
  }

  /** @throws InputError if this key and model have no such session. */
  async function rowOf (model: Model, session: string | undefined, key: string | undefined): Promise<Row> {
    if (session === undefined) return openRow(model, reserve)
    const { model: { name } } = await sessions.get(session, key)
    if (name !== model.name) throw new InputError('conflict', { path: '', message: `the session belongs to the model ${name}, not to ${model.name}` })
    return sessionRow(sessions, model, session, key)
  }

  app.decorateRequest('row')

  app.route({
    method: 'GET',
    url: '/models/:model/stream',
    schema: {
      operationId: 'streamModel',
      tags: ['sessions'],
      summary: 'Take steps over a WebSocket',
      description: 'The connection is the session: one row, which begins with the first frame and ends with the connection. A text frame is JSON: `x` ([I] for a step, [T][I] for many) or `ids`; `steps`, `parts`, ' +
        '`return_sequences` and `t` as in a session; `h_in`, `c_in`, `h_0`, `state` and `context` in the first frame. The answer is `{t, output, y?, parts?, state?}`. A binary frame is float32, little-endian, [T][I]; its answer ' +
        'is [T][Ho], each step followed by its y if the model has a readout. Frames are answered in order. If a frame fails, the answer is a problem, as text, and the row stays unchanged.',
      params: ModelParams,
      querystring: StreamOptions,
      response: { 101: modelAnswer(Type.Null({ description: 'The connection is now a WebSocket.' })), ...problems(400, 401, 403, 404, 409, 410, 422, 426, 429, 503) }
    },
    preHandler: async (request, reply) => {
      const model = registry.get(request.params.model)
      reply.by(model)
      if (request.ws) request.row = await rowOf(model, request.query.session, request.key)
    },
    handler: async (_request, reply) => {
      reply.header('upgrade', 'websocket').header('connection', 'upgrade')
      throw new HttpError(426, 'expected a WebSocket: a GET that upgrades to it')
    },
    wsHandler: (socket, request) => {
      const { row, query } = request
      if (row === undefined) throw new Error('a socket without a row')
      app.converse(socket, request, conversationOf(request.served(), row, query.fields?.split(',')))
    }
  })

  function conversationOf (model: Model, row: Row, fields: readonly string[] | undefined): Conversation {
    const { shape: { sequence: { width, embedding } } } = model
    const steps: BinarySteps = { width, ids: embedding !== undefined }
    const readText = readerOf(model)
    const pick = (answer: object): object => fields === undefined ? answer : Object.fromEntries(Object.entries(answer).filter(([name]) => name === 't' || fields.includes(name)))
    return {
      async answer ({ data, binary }: Frame, call: Call): Promise<FrameAnswer> {
        const hold: Hold = (bytes) => call.reservation?.hold(bytes)
        const beside = binary || data.length < LARGE ? undefined : await large.read(data, fieldsOf(model), hold)
        const digest = (): string => createHash('sha256').update(beside?.body ?? data).digest('base64url')
        const request = binary ? readSteps(data, steps, hold) : judge(beside === undefined ? readText(data, hold) : beside.value, '')
        const answer = pick(await row.take(request, digest, call))
        return binary ? writeSteps(answer) : writeText(json, answer, MAX_WHOLE)
      },
      end: () => row.close()
    }
  }
}

export default routes
