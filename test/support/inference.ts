import assert from 'node:assert/strict'
import supertest from 'supertest'
import type { Server } from 'node:http'
import { DTYPES } from '../../src/wire/inference/datatypes.ts'
import { store, type Written } from './safetensors.ts'

const DATATYPES = new Map(Object.entries(DTYPES).map(([datatype, dtype]) => [dtype, datatype]))

/** Integers as an input. */
export function i64 (shape: readonly number[], values: readonly number[]): Written {
  return { dtype: 'I64', shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }
}

export function i32 (shape: readonly number[], values: readonly number[]): Written {
  return { dtype: 'I32', shape, bytes: new Uint8Array(Int32Array.from(values).buffer) }
}

/** The body of an inference request whose inputs follow its JSON as bytes, and the length of the JSON. */
export function binaryInference (inputs: Readonly<Record<string, Written>>, more: object = {}): { body: Buffer, length: number } {
  const head = Buffer.from(JSON.stringify({
    inputs: Object.entries(inputs).map(([name, { dtype, shape, bytes }]) => ({ name, shape, datatype: DATATYPES.get(dtype), parameters: { binary_data_size: bytes.byteLength } })),
    ...more
  }))
  return { body: Buffer.concat([head, ...Object.values(inputs).map(({ bytes }) => bytes)]), length: head.length }
}

/** The same request as pure JSON, with flat lists of numbers. */
export function jsonInference (inputs: Readonly<Record<string, { readonly shape: readonly number[], readonly values: readonly unknown[], readonly datatype?: string }>>, more: object = {}): object {
  return { inputs: Object.entries(inputs).map(([name, { shape, values, datatype = 'FP32' }]) => ({ name, shape, datatype, data: values })), ...more }
}

/** An answer: its JSON, and the numbers of its outputs, from the JSON or the bytes. */
export interface InferenceAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly error: string | undefined
  readonly head: Record<string, unknown>
  readonly shapes: Record<string, number[]>
  readonly outputs: Record<string, number[]>
}

/** Sends the bytes of an inference request. */
export async function infer (server: Server, path: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<InferenceAnswer> {
  const { status, headers: sent, body: bytes } = await supertest(server).post(path).set({ 'content-type': 'application/octet-stream', ...headers }).serialize((bytes) => bytes).buffer(true).parse((response, done) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk) => { chunks.push(chunk) })
    response.on('end', () => { done(null, Buffer.concat(chunks)) })
  }).send(body)
  const length = sent['inference-header-content-length']
  const { error, ...head } = JSON.parse(bytes.subarray(0, length === undefined ? bytes.length : Number(length)).toString())
  let at = Number(length ?? bytes.length)
  const shapes: Record<string, number[]> = {}
  const outputs: Record<string, number[]> = {}
  for (const { name, shape, datatype, data, parameters } of head.outputs ?? []) {
    assert.equal(datatype, 'FP32')
    shapes[name] = shape
    if (data === undefined) {
      outputs[name] = Array.from(new Float32Array(new Uint8Array(bytes.subarray(at, at + parameters.binary_data_size)).buffer))
      at += parameters.binary_data_size
    } else {
      outputs[name] = data.map(Math.fround)
    }
  }
  assert.equal(at, bytes.length)
  return { status, headers: sent, error, head, shapes, outputs }
}

/** Sends an inference request with inputs as bytes. */
export async function inferBinary (server: Server, path: string, inputs: Readonly<Record<string, Written>>, more: object = {}): Promise<InferenceAnswer> {
  const { body, length } = binaryInference(inputs, more)
  return await infer(server, path, body, { 'inference-header-content-length': String(length) })
}

/** Sends an inference request in JSON. */
export async function inferJson (server: Server, path: string, body: object | string): Promise<InferenceAnswer> {
  return await infer(server, path, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), { 'content-type': 'application/json' })
}

/** Numbers as an input of a datatype, which must represent them exactly. */
export function floats (datatype: string, shape: readonly number[], values: readonly number[]): Written {
  return store(DTYPES[datatype], shape, values)
}
