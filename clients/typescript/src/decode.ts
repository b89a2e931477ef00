import type { RowPlace, RowSequenceAnswer, RowStepAnswer, SequenceAnswer, SequenceStates, SequenceStep, StepAnswer } from './answers.ts'
import { readSafetensors, type Stored } from './safetensors.ts'
import { hasRank, tensorOf, Tensor, toTensor, type Rank } from './tensor.ts'
import { Tokens } from './tokens.ts'

/** An answer's fields by name: tensors, `parts` with further tensors, `t`, `state`. */
type Fields = Readonly<Record<string, unknown>>

/** Reads an answer of tensors, in either format. */
export function decode (body: ArrayBuffer, type: string | null): Fields {
  return type?.startsWith('application/json') === true ? decodeJson(JSON.parse(new TextDecoder().decode(body))) : decodeDocument(body)
}

/** Turns the nested arrays of a JSON answer into tensors. A single row's token stays a text. */
export function decodeJson (answer: object): Fields {
  return Object.fromEntries(Object.entries(answer).map(([name, value]: [string, unknown]) => {
    if (name === 'state') return [name, Array.isArray(value) ? Tokens.from(value.map(String)) : value]
    if (name === 'parts') return [name, Object.fromEntries(Object.entries(Object(value)).map(([part, its]) => [part, toTensor(its)]))]
    return [name, toTensor(value) ?? value]
  }))
}

const PARTS = 'parts/'

function decodeDocument (body: ArrayBuffer): Fields {
  const parts: Record<string, unknown> = {}
  const fields: Record<string, unknown> = {}
  for (const [name, stored] of readSafetensors(body)) {
    if (name.startsWith(PARTS)) {
      parts[name.slice(PARTS.length)] = valueOf(stored)
      fields.parts = parts
    } else {
      fields[name] = valueOf(stored)
    }
  }
  return fields
}

function valueOf ({ dtype, shape, bytes }: Stored): unknown {
  const { buffer, byteOffset, byteLength } = bytes
  switch (dtype) {
    case 'F32': return tensorOf(byteOffset % 4 === 0 ? new Float32Array(buffer, byteOffset, byteLength / 4) : new Float32Array(new Uint8Array(bytes).buffer), shape)
    case 'I64': return Number(new DataView(buffer, byteOffset).getBigInt64(0, true))
    case 'U8': return new Tokens(bytes, [shape[0], shape[1]])
    default: throw new TypeError(`the answer has a tensor of ${dtype}`)
  }
}

/** Checks that an answer has its fields, and that each has the dimensions that the API defines. */
export type Judge<A extends object> = (fields: object) => fields is A

export const isStep = judge<StepAnswer>({ h_out: 2, c_out: 2, y: 2 }, 'h_out')
/** The request determines which fields are present, so none is required. */
export const isSequence = judge<Partial<SequenceAnswer>>({ output: 3, h_out: 2, c_out: 2, h_next: 2, y: 3, parts: 3 })
export const isSequenceLine = judge<SequenceStep | SequenceStates>({ output: 2, h_out: 2, c_out: 2, h_next: 2, y: 2, parts: 2 })
export const isRowStep = judge<RowStepAnswer>({ output: 1, y: 1, parts: 1 }, 't', 'output')
export const isRowSequence = judge<RowSequenceAnswer>({ output: 2, y: 2, parts: 2 }, 't', 'output')
export const isPlace = judge<RowPlace>({}, 't')
export const isRowLine = judge<RowStepAnswer | RowPlace>({ output: 1, y: 1, parts: 1 }, 't')

/** @throws TypeError if the answer has other fields or dimensions. */
export function expect<A extends object> (fields: object, is: Judge<A>): A {
  if (is(fields)) return fields
  throw new TypeError('the answer has other fields or dimensions than the API says: a request has [B] everywhere, and a session has it nowhere')
}

export function judge<A extends object> (ranks: Readonly<Record<string, Rank>>, ...required: readonly string[]): Judge<A> {
  return (fields): fields is A => required.every((name) => name in fields) &&
    Object.entries(ranks).every(([name, rank]) => {
      const value: unknown = Reflect.get(fields, name)
      return (name === 'parts' ? Object.values(Object(value)) : [value]).every((tensor) => tensor === undefined || (tensor instanceof Tensor && hasRank(tensor, rank)))
    })
}
