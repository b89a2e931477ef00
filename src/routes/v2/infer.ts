import { createHash } from 'node:crypto'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import Type from '../../tensor/typebox.ts'
import { InputError, unprocessable } from '../../errors.ts'
import type { Call } from '../../model/call.ts'
import { MAX_WHOLE } from '../../model/limits.ts'
import type { Model } from '../../model/model.ts'
import { takePart } from '../../model/sessions/sequences.ts'
import type { SessionStore } from '../../model/sessions/session.ts'
import { errorOf, receive, ZLIB_CODINGS } from '../../plugins/receive.ts'
import { sendJson, sendParts } from '../../plugins/response-format.ts'
import { compile } from '../../tensor/schema.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { inferenceObject, writeInference, type Output } from '../../wire/inference/answer.ts'
import type { AskedOutput, SequencePart } from '../../wire/inference/layout.ts'
import { createInferenceReader, HEAD_LENGTH, type Inference, type InferenceReader, type RawInput } from '../../wire/inference/request.ts'
import { JSON_TYPE, type Json } from '../../wire/json.ts'
import { LARGE, type LargeJson } from '../../wire/large-json.ts'
import { tensorsOf, type Hold } from '../../wire/tensor-paths.ts'
import { modelFields } from '../fields.ts'
import { SequenceRequest } from '../sequence.ts'
import { StepRequest } from '../step.ts'
import { findModel, withVersion } from './models.ts'
import { outputsOf, PARTS, type Kind } from './tensors.ts'

export interface InferRoutes {
  readonly sessions: SessionStore
  readonly json: Json
  readonly large: LargeJson
}

/** The fields of requests that are inputs; the others are parameters. */
const Inputs = Type.Pick(SequenceRequest, ['x', 'ids', 'h_in', 'c_in', 'h_0', 'lengths', 'context'])

/** `POST /v2/models/{model}/infer`: a step, a sequence, or a part of a sequence that the service keeps. */
const routes: FastifyPluginAsync<InferRoutes> = async (app, { sessions, json, large }) => {
  const judgeStep = compile(StepRequest)
  const judgeSequence = compile(SequenceRequest)
  const fieldsOf = modelFields(Inputs)
  const readers = new WeakMap<Model, InferenceReader>()
  const outputs = new WeakMap<Model, ReturnType<typeof outputsOf>>()

  // Clients send tensors with any content type, or none. The types listed here are matched without being parsed for each request.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/octet-stream', JSON_TYPE, '*'], (request, _payload, done) => {
    const { call } = request
    const hold = (bytes: number): void => call?.reservation?.hold(bytes)
    const headLength = headLengthOf(request)
    if (headLength instanceof InputError) {
      done(headLength)
      return
    }
    receive(request, hold, (error, bytes) => {
      call?.reservation?.arrived()
      const length = headLength ?? bytes.length
      if (error === null && length >= LARGE && length <= bytes.length) {
        const reading = readBeside(request, bytes, length, hold)
        // The thread uses the body even if the client disconnects in the meantime.
        call?.reservation?.keepFor(reading)
        reading.then((inference) => { done(null, inference) }, (failure: unknown) => { done(errorOf(failure)) })
        return
      }
      let body: Inference | undefined
      try {
        if (error === null) body = readerOf(findModel(request)).read(bytes, headLength, hold)
      } catch (failure) {
        error = errorOf(failure)
      }
      done(error, body)
    }, { codings: ZLIB_CODINGS, ahead: () => headLength ?? 0 })
  })

  async function readBeside (request: FastifyRequest, bytes: Buffer, length: number, hold: Hold): Promise<Inference> {
    const model = findModel(request)
    const { value, body } = await large.readHead(bytes, length, fieldsOf(model), hold)
    return readerOf(model).readBehind(body, length, value, hold)
  }

  function readerOf (model: Model): InferenceReader {
    const reader = readers.get(model) ?? createInferenceReader(fieldsOf(model), rawInputOf(model), json)
    readers.set(model, reader)
    return reader
  }

  /** @throws InputError if a requested output does not exist for this kind of request. */
  function checkOutputs (model: Model, kind: Kind, asked: readonly AskedOutput[] | undefined): void {
    if (asked === undefined) return
    const all = outputs.get(model) ?? outputsOf(model)
    outputs.set(model, all)
    const odd = asked.findIndex(({ name }) => all[kind].every((output) => output.name !== name))
    if (odd >= 0) throw new InputError('malformed', { path: `/outputs/${odd}/name`, message: `${KINDS[kind]} of ${model.name} has no output ${JSON.stringify(asked[odd].name.slice(0, 80))}; it has ${all[kind].map(({ name }) => name).join(', ')}` })
  }

  function infer (model: Model, inference: Inference, key: string | undefined, call: Call | undefined): Promise<object> {
    const { inputs, options: { t: _, timeout, ...options }, sequence, outputs: asked } = inference
    if (timeout !== undefined && call !== undefined) call.deadline = Math.min(call.deadline, performance.now() + 1000 * timeout)
    const single = options.steps === undefined && isStep(inputs)
    const kind = sequence !== undefined ? 'kept' : single ? 'step' : 'sequence'
    checkOutputs(model, kind, asked)
    if (kind === 'step') return model.step(judgeStep({ ...checkStep(inputs), ...options }, ''), call)
    const parts = asked?.filter(({ name }) => name.startsWith(PARTS)).map(({ name }) => name.slice(PARTS.length)) ?? []
    const wanted = { ...options, ...(parts.length > 0 && { parts }), ...(asked !== undefined && { fields: fieldsAsked(asked) }) }
    if (sequence === undefined) return model.sequence(judgeSequence({ ...inputs, ...wanted }, ''), call)
    return inSequence(model, inference, sequence, wanted, key, call).then(withBatch)
  }

  async function inSequence (model: Model, { inputs, options: { t }, body }: Inference, { id, start, end }: SequencePart, wanted: object, owner: string | undefined, call: Call | undefined): Promise<object> {
    const { x, ids, lengths, ...opening } = inputs
    if (lengths !== undefined) throw unprocessable('/lengths', 'is for the rows of a batch, and a sequence that the service keeps has one row')
    checkOneRow(x, ids)
    const { h_in: hIn, c_in: cIn, h_0: h0, context } = judgeSequence(opening, '')
    const steps = judgeSequence({ ...(x !== undefined && { x }), ...(ids !== undefined && { ids }), ...wanted }, '')
    const idle = x === undefined && ids === undefined && steps.steps === undefined && (start || end)
    return await takePart(sessions, { model, owner, id }, {
      start,
      end,
      t,
      opening: { ...(hIn !== undefined && { h_in: hIn }), ...(cIn !== undefined && { c_in: cIn }), ...(h0 !== undefined && { h_0: h0 }), ...(context !== undefined && { context: ofOneRow(context) }) },
      steps: idle ? undefined : steps,
      one: steps.steps === undefined && isStep(inputs),
      digest: () => createHash('sha256').update(body).digest('base64url')
    }, call)
  }

  for (const path of withVersion('/infer')) {
    app.post<{ Body: Inference | undefined }>(path, { config: { work: true, model: true }, schema: { hide: true } }, async (request, reply) => {
      const { body, key, call } = request
      if (body === undefined) throw new InputError('malformed', { path: '', message: 'the request is empty' })
      const model = findModel(request)
      const answer = await infer(model, body, key, call)
      const { t }: { readonly t?: unknown } = answer
      const head = {
        model_name: model.name,
        model_version: model.version,
        ...(body.id !== undefined && { id: body.id }),
        ...(t !== undefined && { parameters: { t } })
      }
      const outputs = choose(answer, body)
      if (outputs.every(({ binary }) => !binary)) return sendJson(reply.header('content-type', JSON_TYPE), json, inferenceObject(head, outputs))
      checkMixture(outputs)
      const parts = writeInference(head, outputs, json.write)
      reply.header('content-type', 'application/octet-stream').header(HEAD_LENGTH, parts[0].byteLength)
      return sendParts(reply, parts)
    })
  }
}

const KINDS: Readonly<Record<Kind, string>> = { step: 'a step', sequence: 'a sequence', kept: 'a part of a sequence' }

function headLengthOf ({ headers }: FastifyRequest): number | undefined | InputError {
  const given = headers[HEAD_LENGTH.toLowerCase()]
  if (given === undefined) return undefined
  return typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : new InputError('malformed', { path: '', message: `${HEAD_LENGTH}: expected a number of bytes, got ${JSON.stringify(given)}` })
}

function rawInputOf ({ shape: { sequence: { width, embedding } } }: Model): RawInput | undefined {
  if (embedding !== undefined) return { name: 'ids', datatype: 'INT64', width: 1 }
  return width === 0 ? undefined : { name: 'x', datatype: 'FP32', width }
}

/** Whether inputs have one step for each row: x is [B][I], ids are [B], or there are neither. The first dimension is always the batch. */
function isStep ({ x, ids }: Inference['inputs']): boolean {
  if (x instanceof Tensor) {
    if (x.rank === 1) throw unprocessable('/x', 'expected [B][I], a step of each row, or [B][T][I], a sequence of each, got one dimension')
    return x.rank === 2
  }
  if (typeof ids === 'number') throw unprocessable('/ids', 'expected [B], a step of each row, or [B][T], a sequence of each, got a number alone')
  return !Array.isArray(ids) || !Array.isArray(ids[0])
}

function checkStep (inputs: Inference['inputs']): Inference['inputs'] {
  if (inputs.lengths !== undefined) throw unprocessable('/lengths', 'is for sequences, [B][T][I], and this is a step of each row, [B][I]')
  return inputs
}

function checkOneRow (x: unknown, ids: unknown): void {
  const rows = x instanceof Tensor ? x.shape[0] : Array.isArray(ids) ? ids.length : 1
  if (rows !== 1) throw unprocessable(x instanceof Tensor ? '/x' : '/ids', `a sequence that the service keeps has one row: expected a first dimension of 1, got ${rows}`)
}

/** Removes the batch dimension from the context of one row. */
function ofOneRow (context: unknown): object {
  return Object.fromEntries(Object.entries(Object(context)).map(([name, value]) => [name, isOfRows(name, value) ? new Tensor(value.shape.slice(1), value.data) : value]))
}

function isOfRows (name: string, value: unknown): value is Tensor {
  return value instanceof Tensor && value.shape[0] === 1 && value.rank === (name === 'support' ? 3 : name === 'vectors' ? 2 : Infinity)
}

/** The fields of an answer that the outputs are taken from. */
function fieldsAsked (asked: readonly AskedOutput[]): string[] {
  return [...new Set(asked.map(({ name }) => name.startsWith(PARTS) ? 'parts' : name))]
}

/** Adds the batch dimension to the answer of one row. */
function withBatch (answer: object): object {
  return Object.fromEntries(Object.entries(answer).map(([name, value]: [string, unknown]) => {
    if (value instanceof Tensor) return [name, new Tensor([1, ...value.shape], value.data)]
    return [name, typeof value === 'object' && value !== null ? withBatch(value) : value]
  }))
}

/** The requested outputs, in the order requested; all outputs if none are requested. */
function choose (answer: object, { outputs, binary }: Inference): Output[] {
  const all = tensorsOf(answer)
  if (outputs === undefined) return all.map(([name, tensor]) => ({ name, tensor, binary }))
  const tensors = new Map(all)
  return outputs.flatMap(({ name, binary: own = binary }) => {
    const tensor = tensors.get(name)
    return tensor === undefined ? [] : [{ name, tensor, binary: own }]
  })
}

/** JSON in front of binary outputs is written in one piece. */
function checkMixture (outputs: readonly Output[]): void {
  const numbers = outputs.reduce((sum, { tensor, binary }) => sum + (binary ? 0 : tensor.size), 0)
  if (numbers > MAX_WHOLE) throw unprocessable('/outputs', `${numbers} numbers as JSON in front of binary outputs are more than the ${MAX_WHOLE} allowed: ask for all of them as binary_data, or for none`)
}

export default routes
