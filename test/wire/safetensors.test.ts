import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBinaryReader, writeBinary } from '../../src/wire/safetensors.ts'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { InputError } from '../../src/errors.ts'
import type { Fields } from '../../src/wire/tensor-paths.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { f32, writeRaw, writeSafetensors, type Written } from '../support/safetensors.ts'

/** What a body holds, and the bytes that it was made to hold beside its own. */
function createReader (fields: Pick<Fields, 'tensors' | 'integers'>): (body: Buffer) => object {
  const read = createBinaryReader({ known: [], ...fields })
  return (body) => read(body, (bytes) => { held += bytes })
}
let held = 0

const read = createReader({ tensors: ['x', 'h_in', 'context/vectors', 'context/support'], integers: ['lengths'] })
const bodyOf = (tensors: Record<string, Written>): Buffer => Buffer.from(writeSafetensors(tensors))

test('tensors come under the names of their fields, those of the context in it', () => {
  const body = bodyOf({
    x: f32([1, 2, 2], [1, -0, 1e-45, 3.4e38]),
    vectors: f32([2], [5, 6]),
    support: f32([1, 2], [7, 8]),
    lengths: { dtype: 'I32', shape: [3], bytes: new Uint8Array(Int32Array.of(1, -2, 2 ** 31 - 1).buffer) }
  })
  assert.deepEqual(read(body), {
    x: new Tensor([1, 2, 2], Float32Array.of(1, -0, 1e-45, 3.4e38)),
    context: { vectors: new Tensor([2], Float32Array.of(5, 6)), support: new Tensor([1, 2], Float32Array.of(7, 8)) },
    lengths: [1, -2, 2 ** 31 - 1]
  })
})

test('F16, BF16 and F64 become float32, and I64 numbers', () => {
  const body = bodyOf({
    x: { dtype: 'F16', shape: [2], bytes: new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer) },
    h_in: { dtype: 'BF16', shape: [1, 1], bytes: new Uint8Array(Uint16Array.of(0x3f80).buffer) },
    vectors: { dtype: 'F64', shape: [1], bytes: new Uint8Array(Float64Array.of(1 / 3).buffer) },
    lengths: { dtype: 'I64', shape: [2], bytes: new Uint8Array(BigInt64Array.of(4n, -(2n ** 40n)).buffer) }
  })
  assert.deepEqual(read(body), {
    x: new Tensor([2], Float32Array.of(1, -2)),
    h_in: new Tensor([1, 1], Float32Array.of(1)),
    context: { vectors: new Tensor([1], Float32Array.of(1 / 3)) },
    lengths: [4, -(2 ** 40)]
  })
})

test('a document is read at any alignment, and F32 is not copied if it is aligned; what is made is counted', () => {
  const written = Buffer.concat(writeBinary({ x: new Tensor([3], Float32Array.of(1, 2, 3)) }))
  for (const shift of [0, 1, 2, 3, 4]) {
    const memory = Buffer.alloc(written.length + shift)
    written.copy(memory, shift)
    held = 0
    const { x } = { x: undefined, ...read(memory.subarray(shift)) }
    assert.deepEqual(x, new Tensor([3], Float32Array.of(1, 2, 3)))
    memory.writeFloatLE(9, memory.length - 4)
    assert.ok(Object(x) instanceof Tensor)
    const own: unknown = x
    if (own instanceof Tensor) assert.deepEqual([own.data[2], held], (memory.byteOffset + shift) % 4 === 0 ? [9, 0] : [3, 12])
  }
})

test('what is written is a safetensors document, its data aligned', () => {
  const answer = {
    h_out: new Tensor([2, 1], Float32Array.of(1, -0)),
    'names "may" be odd: \u00e9': new Tensor([1], Float32Array.of(2)),
    left: undefined
  }
  const document = Buffer.concat(writeBinary(answer))
  assert.equal((8 + Number(document.readBigUInt64LE())) % 8, 0)
  const tensors = parseSafetensors(document)
  assert.deepEqual([...tensors].map(([name, { dtype, shape, bytes }]) => [name, dtype, shape, bytes.length]),
    [['h_out', 'F32', [2, 1], 8], ['names "may" be odd: \u00e9', 'F32', [1], 4]])
  assert.deepEqual(createReader({ tensors: ['h_out', 'names "may" be odd: \u00e9'] })(document), { h_out: answer.h_out, 'names "may" be odd: \u00e9': answer['names "may" be odd: \u00e9'] })
  assert.equal(Buffer.concat(writeBinary({})).length, 16)
})

test('documents of one size do not take each other\'s heads, however often they come', () => {
  const four = Float32Array.of(1, 2, 3, 4)
  const answers = [
    { a: new Tensor([4], four) }, { b: new Tensor([4], four) }, { a: new Tensor([2, 2], four) }, { a: new Tensor([4, 1], four) }, { a: new Tensor([1, 4], four) },
    { a: new Tensor([2], four.subarray(2)), b: new Tensor([2], four.subarray(0, 2)) }, { b: new Tensor([2], four.subarray(2)), a: new Tensor([2], four.subarray(0, 2)) }, { a: new Tensor([1], four.subarray(0, 1)), b: new Tensor([3], four.subarray(1)) }
  ]
  const readBoth = createReader({ tensors: ['a', 'b'] })
  for (let round = 0; round < 3; round++) {
    for (const answer of answers) assert.deepEqual(readBoth(Buffer.concat(writeBinary(answer))), answer)
  }
})

const i32 = (shape: number[], ...values: number[]): Written => ({ dtype: 'I32', shape, bytes: new Uint8Array(Int32Array.from(values).buffer) })
const f64 = (shape: number[], ...values: number[]): Written => ({ dtype: 'F64', shape, bytes: new Uint8Array(Float64Array.from(values).buffer) })

const WRONG: ReadonlyArray<[name: string, body: Buffer, kind: string, path: string, message: RegExp]> = [
  ['nothing', Buffer.alloc(0), 'malformed', '', /not a safetensors document: it has 0 bytes, fewer than the 8/],
  ['JSON', Buffer.from('{"x": [1, 2]}'), 'malformed', '', /not a safetensors document: it declares a header of \d+ bytes/],
  ['a header nested deep', Buffer.from(writeRaw('['.repeat(1_000_000))), 'malformed', '', /it declares a header of 1000000 bytes, more than the 16384 allowed/],
  ['a document cut short', bodyOf({ x: f32([2], [1, 2]) }).subarray(0, -1), 'malformed', '', /tensor "x": its data_offsets/],
  ['an unknown name', bodyOf({ y: f32([1], [1]) }), 'malformed', '/y', /is not a known field; expected one of x, h_in, vectors, support, lengths/],
  ['a name of a prototype', bodyOf({ ['__proto__']: f32([1], [1]) }), 'malformed', '/__proto__', /is not a known field/],
  ['a long name', bodyOf({ ['~/'.repeat(3000)]: f32([1], [1]) }), 'malformed', `/${'~0~1'.repeat(40)}...`, /is not a known field/],
  ['integers for floats', bodyOf({ x: i32([2], 1, 2) }), 'malformed', '/x', /expected F32, F64, F16, BF16, got I32/],
  ['floats for integers', bodyOf({ lengths: f32([2], [1, 2]) }), 'malformed', '/lengths', /expected a list of I32 or I64, got F32 of shape \[2\]/],
  ['a matrix of integers', bodyOf({ lengths: i32([1, 2], 1, 2) }), 'malformed', '/lengths', /got I32 of shape \[1, 2\]/],
  ['a scalar', bodyOf({ x: f32([], [1]) }), 'malformed', '/x', /expected 1 to 3 dimensions, got 0/],
  ['four dimensions', bodyOf({ vectors: f32([1, 1, 1, 1], [1]) }), 'malformed', '/context/vectors', /expected 1 to 3 dimensions, got 4/],
  ['an empty tensor', bodyOf({ x: f32([2, 0], []) }), 'unprocessable', '/x', /is empty: its shape is \[2, 0\]/],
  ['NaN', bodyOf({ x: f32([2, 2, 2], [1, 2, 3, 4, 5, NaN, 7, 8]) }), 'unprocessable', '/x/1/0/1', /NaN is not finite/],
  ['an infinity', bodyOf({ h_in: f32([3], [1, 2, -Infinity]) }), 'unprocessable', '/h_in/2', /-Infinity is not finite/],
  ['a double out of range', bodyOf({ support: f64([1, 2], 1, 1e39) }), 'unprocessable', '/context/support/0/1', /is not finite as a float32/]
]

for (const [name, body, kind, path, message] of WRONG) {
  test(`${name} is refused at ${path === '' ? 'the body' : path.slice(0, 40)}`, () => {
    assert.throws(() => read(body), (error) => {
      assert.ok(error instanceof InputError)
      assert.equal(error.kind, kind)
      assert.equal(error.errors[0].path, path)
      assert.match(error.errors[0].message, message)
      return true
    })
  })
}
