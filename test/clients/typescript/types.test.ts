import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Client, Tensor, type Chain, type Connection, type FrameSequence, type FrameStep, type Model, type RowSequence, type RowStep, type SequenceAnswer, type SequenceRequest, type Session,
  type SessionConnection, type SessionStart, type StepAnswer, type StepRequest
} from '../../../clients/typescript/src/client.ts'
import type { components } from '../../../clients/typescript/src/openapi.ts'

// What is here is checked by `npm run types`.

type Schemas = components['schemas']
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false
type Fields<T> = Same<keyof T, PropertyKey> extends true ? never : keyof T

/** The client's own types have the fields of the document, no more and no fewer. */
const asTheDocument: [
  Same<Fields<StepRequest>, keyof Schemas['StepRequest']>,
  Same<Fields<StepAnswer>, keyof Schemas['StepAnswer']>,
  Same<Fields<SequenceRequest>, keyof Schemas['SequenceRequest']>,
  Same<Fields<SequenceAnswer>, keyof Schemas['SequenceAnswer']>,
  Same<Fields<RowStep>, keyof Schemas['SessionStepRequest']>,
  Same<Fields<RowSequence>, keyof Schemas['SessionSequenceRequest']>,
  Same<Exclude<keyof Schemas['SessionRequest'], 'session' | 'model' | 't' | 'expires'>, Fields<SessionStart>>,
  Same<Fields<FrameStep> | Fields<FrameSequence>, Fields<RowStep> | Fields<RowSequence> | 'state'>
] = [true, true, true, true, true, true, true, true]

/** Never called: what compiles, and what does not. */
async function compiles (client: Client, model: Model, chain: Chain, session: Session, connection: Connection, ofSession: SessionConnection): Promise<void> {
  const { output, y, state } = await model.sequence({ x: [[[1, 2]]], state: true })
  const nested: number[][][] = output.nested()
  const readout: number[][][] | undefined = y?.nested()
  const texts: string[] | undefined = state?.texts()
  const h: number[][] = (await model.step({ x: new Tensor(Float32Array.of(1, 2), [1, 2]), h_in: [Float32Array.of(1)], state: state ?? true })).h_out.nested()
  const vector: number[] = (await session.step({ x: Float32Array.of(1, 2) })).output.nested()
  const [B, T, Ho]: readonly [number, number, number] = output.shape
  void [nested, readout, texts, h, vector, B, T, Ho]

  // @ts-expect-error: a sequence has [B]
  await model.sequence({ x: [[1, 2]] })
  // @ts-expect-error: so has its tensor
  await model.sequence({ x: new Tensor(Float32Array.of(1, 2), [1, 2]) })
  // @ts-expect-error: a step has no [T]
  await model.step({ x: [[[1, 2]]] })
  // @ts-expect-error: x is a tensor
  await model.step({ x: 'one' })
  // @ts-expect-error: there is no such field
  await model.step({ x: [[1]], h_on: [[1]] })
  // @ts-expect-error: the bare network takes one step
  await model.step({ x: [[1]], steps: 2 })
  // @ts-expect-error: an LSTM alone has a c
  void (await model.step({ x: [[1]] })).c_out.data
  // @ts-expect-error: only what was asked for is there
  void (await model.sequence({ x: [[[1]]], fields: ['h_out'] })).output
  void (await model.sequence({ x: [[[1]]], fields: ['output'] })).output.data
  // @ts-expect-error: there is no such field
  await model.sequence({ x: [[[1]]], fields: ['weights'] })
  // @ts-expect-error: a chain keeps its state itself
  await chain.step({ x: [[1]], h_in: [[1]] })
  // @ts-expect-error: a chain has rows
  await chain.step({ x: [1] })
  // @ts-expect-error: a session is one row
  await session.step({ x: [[1]] })
  // @ts-expect-error: its sequence has no [B]
  await session.sequence({ x: [[[1]]] })
  // @ts-expect-error: so has a connection's
  await connection.sequence({ x: [[[1]]] })
  // @ts-expect-error: a session has begun
  await ofSession.begin()
  // @ts-expect-error: binary frames could not be sent again
  await ofSession.floats(Float32Array.of(1))
  const few = await model.connect({ fields: ['y'] })
  // @ts-expect-error: only what was asked for is there
  void (await few.step({ x: [1] })).output
  for await (const line of model.stream({ x: [[[1]]] })) {
    // @ts-expect-error: the last line has no output
    void line.output
    if (line.t === undefined) void line.h_out?.nested()
    else void line.output?.nested()
  }
  // @ts-expect-error: it has an address
  void new Client()
  // @ts-expect-error: there are two formats
  void new Client('http://localhost', { format: 'xml' })
  // @ts-expect-error: three dimensions at most
  void new Tensor(Float32Array.of(1), [1, 1, 1, 1])
  await client.models()
}

test('what is typed compiles', () => {
  assert.equal(typeof compiles, 'function')
  assert.ok(asTheDocument.every(Boolean))
})
