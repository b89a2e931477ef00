import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findAddon } from '../../../src/engine/addon.ts'
import { InputError } from '../../../src/errors.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { createInferenceReader } from '../../../src/wire/inference/request.ts'
import { createJson } from '../../../src/wire/json.ts'
import { binaryInference, floats, i32, i64, jsonInference } from '../../support/inference.ts'
import { f32 } from '../../support/safetensors.ts'

const FIELDS = { known: [], tensors: ['x', 'context/support'], integers: ['lengths'], nested: ['ids'] }
const readers = [findAddon(), undefined].map((addon) => createInferenceReader(FIELDS, { name: 'x', datatype: 'FP32', width: 2 }, createJson(addon)))
const [reader] = readers
const read = (body: Buffer, length?: number) => reader.read(body, length, () => {})
const fault = (body: Buffer, length?: number): string => {
  try {
    read(body, length)
  } catch (error) {
    assert.ok(error instanceof InputError, String(error))
    return error.message
  }
  return assert.fail(body.toString())
}

test('inputs are bytes behind the JSON, in their order', () => {
  const { body, length } = binaryInference({ lengths: i32([2], [3, 1]), x: f32([1, 2], [1, -2]), ids: i64([1, 2], [7, 8]), support: f32([2, 1], [5, 6]) })
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(read(body, length).inputs, {
      lengths: [3, 1],
      x: new Tensor([1, 2], Float32Array.of(1, -2)),
      ids: [[7, 8]],
      context: { support: new Tensor([2, 1], Float32Array.of(5, 6)) }
    }, 'a head that is known is read as before')
  }
})

test('float32 is a view of the body, if it lies at a multiple of four bytes there', () => {
  const { body, length } = binaryInference({ x: f32([1, 2], [1, -2]) })
  for (const offset of [0, 1]) {
    const place = Buffer.from(new ArrayBuffer(body.length + 8), (4 - length % 4) % 4 + offset, body.length)
    body.copy(place)
    const { x } = read(place, length).inputs
    assert.ok(x instanceof Tensor)
    assert.equal(x.data.buffer === place.buffer, offset === 0)
    assert.deepEqual([...x.data], [1, -2])
  }
})

test('every datatype, as bytes and as JSON, flat or nested, with the addon and without', () => {
  for (const datatype of ['FP32', 'FP16', 'BF16', 'FP64']) {
    const { body, length } = binaryInference({ x: floats(datatype, [2, 2], [1, -2, 0.5, 4]) })
    const expected = { x: new Tensor([2, 2], Float32Array.of(1, -2, 0.5, 4)) }
    assert.deepEqual(read(body, length).inputs, expected)
    for (const values of [[1, -2, 0.5, 4], [[1, -2], [0.5, 4]]]) {
      for (const one of readers) assert.deepEqual(one.read(Buffer.from(JSON.stringify(jsonInference({ x: { shape: [2, 2], values, datatype } }))), undefined, () => {}).inputs, expected)
    }
  }
  for (const datatype of ['INT32', 'INT64']) {
    for (const values of [[1, 2, 3, 4], [[1, 2], [3, 4]]]) {
      assert.deepEqual(read(Buffer.from(JSON.stringify(jsonInference({ ids: { shape: [2, 2], values, datatype } })))).inputs, { ids: [[1, 2], [3, 4]] })
    }
  }
})

test('a body without JSON is one input: a sequence of one row', () => {
  const { inputs, binary, outputs } = read(Buffer.from(Float32Array.of(1, 2, 3, 4).buffer), 0)
  assert.deepEqual([inputs, binary, outputs], [{ x: new Tensor([1, 2, 2], Float32Array.of(1, 2, 3, 4)) }, true, undefined])
  assert.match(fault(Buffer.alloc(12), 0), /^\/x: expected a body of one or more steps, 2 FP32 each: a multiple of 8 bytes, got 12$/)
  assert.match(fault(Buffer.alloc(0), 0), /a multiple of 8 bytes, got 0$/)
  const ids = createInferenceReader(FIELDS, { name: 'ids', datatype: 'INT64', width: 1 }, createJson(undefined))
  assert.deepEqual(ids.read(Buffer.from(BigInt64Array.of(4n, 5n).buffer), 0, () => {}).inputs, { ids: [[4, 5]] })
  assert.throws(() => createInferenceReader(FIELDS, undefined, createJson(undefined)).read(Buffer.alloc(8), 0, () => {}), /this model reads neither x nor ids/)
})

test('sizes that do not fit the body, the shape or each other', () => {
  const { body, length } = binaryInference({ x: f32([1, 2], [1, 2]) })
  const sized = (size: number, second = 8): string => {
    const head = Buffer.from(JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: size } }, { name: 'support', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: second } }] }))
    return fault(Buffer.concat([head, Buffer.alloc(12)]), head.length)
  }
  assert.match(fault(body, body.length + 1), /^Inference-Header-Content-Length: says that \d+ bytes of the body are JSON, and it has \d+$/)
  assert.match(fault(body, length - 1), /is not JSON/)
  assert.match(fault(body, length + 1), /is not JSON: expected its end/)
  assert.match(fault(body), /is not JSON: expected its end/)
  assert.match(fault(body.subarray(0, length), length), /^\/inputs: the binary_data_size of all inputs add up to 8 bytes, but 0 follow the JSON; Inference-Header-Content-Length says where it ends$/)
  assert.match(fault(body.subarray(0, -1), length), /add up to 8 bytes, but 7 follow the JSON$/)
  assert.match(fault(Buffer.concat([body, Buffer.alloc(1)]), length), /add up to 8 bytes, but 9 follow the JSON$/)
  assert.match(sized(8), /add up to 16 bytes, but 12 follow the JSON$/)
  assert.match(sized(4), /^\/inputs\/0\/parameters\/binary_data_size: FP32 of shape \[1, 2\] takes 8 bytes, got 4$/)
  assert.match(sized(8, 2 ** 40), /^\/inputs\/1\/parameters\/binary_data_size: FP32 of shape \[1, 2\] takes 8 bytes, got 1099511627776$/)
})

test('inputs that are not there, twice, of another datatype, in shared memory, or do not fit their shape', () => {
  const one = (input: object): string => fault(Buffer.from(JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', ...input }] })))
  const x = { name: 'x', shape: [1], datatype: 'FP32', data: [1] }
  assert.match(one({ name: 'z', data: [1, 2] }), /^\/inputs\/0\/name: there is no input "z"; the inputs are x, support, lengths, ids$/)
  assert.match(one({}), /^\/inputs\/0\/data: is required, if there is no binary_data_size$/)
  assert.match(fault(Buffer.from(JSON.stringify({ inputs: [x, x] }))), /^\/inputs\/1: there are two inputs named "x"$/)
  for (const datatype of ['INT32', 'BYTES', 'fp32', 'BOOL']) assert.match(one({ datatype, data: [1, 2] }), new RegExp(`^/inputs/0/datatype: x is FP32, FP16, BF16 or FP64, got "${datatype}"$`))
  assert.match(one({ name: 'ids', data: [1, 2] }), /^\/inputs\/0\/datatype: ids is INT32 or INT64, got "FP32"$/)
  assert.match(one({ parameters: { shared_memory_region: 'a' } }), /shared memory is not supported$/)
  assert.match(one({ data: [1, 2], parameters: { binary_data_size: 8 } }), /^\/inputs\/0\/data: cannot be combined with binary_data_size$/)
  for (const data of [[1], [1, 2, 3], [[1], [2]], [[[1, 2]]]]) assert.match(one({ data }), /^\/inputs\/0\/data: does not fit its shape, \[1, 2\]/)
  assert.match(one({ shape: [2, 2, 2], data: [[[1, 2], [3, 4]], [[5, 6]]] }), /does not fit its shape/)
  assert.match(one({ data: [1, true] }), /^\/inputs\/0\/data\/1: expected a number, got true$/)
  assert.match(one({ data: [] }), /^\/inputs\/0\/data: is empty$/)
  assert.match(one({ shape: [1, 1, 1, 2], data: [1, 2] }), /^\/x: expected 1 to 3 dimensions, got 4$/)
  assert.match(fault(Buffer.from('{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,1e39]}]}')), /^\/inputs\/0\/data\/1: 1e\+39 is not finite as a float32$/)
  for (const data of [[1], [[1, 2], [3]], [[1, 2, 3]]]) assert.match(one({ name: 'ids', datatype: 'INT64', shape: [2, 1], data }), /does not fit its shape, \[2, 1\]/)
  for (const data of [[1.5, 2], [1, null], [1, 2 ** 60]]) assert.match(one({ name: 'ids', datatype: 'INT64', shape: [2], data }), /^\/inputs\/0\/data: expected integers, got/)
  assert.match(fault(Buffer.from('{"inputs":[{"name":"ids","shape":[2],"datatype":"INT64","data":[1,]}]}')), /^\/inputs\/0\/data: is not an array of integers$/)
  const { body, length } = binaryInference({ x: f32([1, 2], [1, NaN]) })
  assert.match(fault(body, length), /^\/x\/0\/1: NaN is not finite as a float32$/)
})

test('sequences and outputs that cannot be', () => {
  const more = (fields: object): string => fault(Buffer.from(JSON.stringify(jsonInference({ x: { shape: [1, 2], values: [1, 2] } }, fields))))
  assert.match(more({ parameters: { sequence_start: true } }), /^\/parameters\/sequence_start: needs a sequence_id, and there is none$/)
  assert.match(more({ parameters: { sequence_end: true, sequence_id: 0 } }), /^\/parameters\/sequence_end: needs a sequence_id other than 0 and ""$/)
  assert.match(more({ parameters: { sequence_end: true, sequence_id: '' } }), /other than 0 and ""$/)
  assert.match(more({ parameters: { t: 3 } }), /^\/parameters\/t: needs a sequence_id/)
  assert.match(more({ outputs: [{ name: 'y' }, { name: 'y' }] }), /^\/outputs\/1: "y" is asked for twice$/)
  assert.match(more({ outputs: [{ name: 'y', parameters: { classification: 3 } }] }), /^\/outputs\/0\/parameters\/classification: the service does not compute classes/)
  assert.match(more({ outputs: [{ name: 'y', parameters: { shared_memory_region: 'a' } }] }), /shared memory is not supported$/)
})

test('bytes that are made beside the body are counted before they are', () => {
  const held = (body: Buffer, length?: number): number => {
    let bytes = 0
    reader.read(body, length, (more) => { bytes += more })
    return bytes
  }
  const { body, length } = binaryInference({ x: floats('FP64', [500, 2], new Array(1000).fill(1)) })
  assert.ok(held(body, length) >= 4000)
  const json = Buffer.from(JSON.stringify(jsonInference({ x: { shape: [500, 2], values: new Array(1000).fill(1) } })))
  assert.ok(held(json) >= 4000 + json.length - 200)
  const refusing = (): never => { throw new InputError('unavailable', { path: '', message: 'no room' }) }
  assert.throws(() => reader.read(json, undefined, refusing), /^InputError: no room$/)
})

test('integers as JSON are bounded, for they become much larger', () => {
  const ids = (numbers: number): Buffer => Buffer.from(JSON.stringify(jsonInference({ ids: { shape: [1, numbers], values: new Array(numbers).fill(7), datatype: 'INT64' } })))
  assert.deepEqual(read(ids(2 ** 19 - 1)).inputs, { ids: [new Array(2 ** 19 - 1).fill(7)] })
  assert.match(fault(ids(2 ** 19)), /^\/inputs\/0\/data: integers take at most 1048576 bytes of JSON, got 1048577: send them as binary_data$/)
})
