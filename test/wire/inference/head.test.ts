import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '../../../src/errors.ts'
import { readHead } from '../../../src/wire/inference/head.ts'

const read = (text: string) => readHead(Buffer.from(text), () => {})
const inputs = '"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]'
const fault = (text: string): string => {
  try {
    read(text)
  } catch (error) {
    assert.ok(error instanceof InputError && error.kind === 'malformed', String(error))
    return error.message
  }
  return assert.fail(text)
}

test('arrays of data are left as bytes, whatever is around them', () => {
  const { data, inputs } = read('\ufeff {"id":"a\\u0062","inputs":[{"data" : [ [1, 2e0],\n[3,4]] ,"name":"x","shape":[2,2],"datatype":"FP64"},{"name":"y","d\\u0061ta":[],"shape":[0],"datatype":"INT32"}]} ')
  assert.deepEqual(data.map(String), ['[ [1, 2e0],\n[3,4]]', '[]'])
  assert.deepEqual(inputs.map(({ name, data }) => [name, data]), [['x', 0], ['y', 1]])
})

test('a sequence_id keeps all digits of 64 bits, and a string is another', () => {
  const [long, short] = [inputs, inputs.replace(',"data":[1,2]', '')]
  for (const inputs of [long, short]) {
    for (const [id, expected] of [['0', 0n], ['12', 12n], ['9007199254740993', 9007199254740993n], ['18446744073709551615', 18446744073709551615n]] as const) {
      assert.equal(read(`{${inputs},"parameters":{"sequence_id":${id}}}`).sequence, expected)
      const { sequence, parameters } = read(`{"parameters":{"sequence_id": "${id}"},${inputs}}`)
      assert.deepEqual([sequence, parameters?.sequence_id], [undefined, id])
    }
  }
  for (const inputs of [long, short]) {
    for (const id of ['18446744073709551616', '-1', '1.5', '1e3', '123456789012345678901', '-0']) {
      assert.match(fault(`{${inputs},"parameters":{"sequence_id":${id}}}`), /^\/parameters\/sequence_id: expected a string or an integer from 0 to 18446744073709551615, got/)
    }
  }
  for (const id of ['null', 'true', '[1]', '{}']) assert.match(fault(`{${inputs},"parameters":{"sequence_id":${id}}}`), /^\/parameters\/sequence_id: must be string,integer/)
})

test('what is no inference request is named', () => {
  for (const [text, message] of [
    ['', /^the request is empty$/],
    ['{', /is not JSON: expected a name in double quotes at byte 1, got its end/],
    ['[]', /^must be object, got an array$/],
    ['{}', /^\/inputs: is required$/],
    [`{${inputs}} x`, /is not JSON: expected its end at byte/],
    [`{${inputs},"extra":1}`, /^\/extra: is not a known field$/],
    [`{${inputs},"__proto__":{}}`, /named __proto__ or constructor/],
    [`{${inputs},"id":5}`, /^\/id: must be string, got 5$/],
    [`{${inputs},"parameters":{"step":1}}`, /^\/parameters\/step: is not a known field$/],
    [`{${inputs},"parameters":{"sequence_start":"true"}}`, /^\/parameters\/sequence_start: must be boolean/],
    [`{${inputs},"parameters":[]}`, /^\/parameters: must be object/],
    ['{"inputs":{}}', /^\/inputs: must be array/],
    ['{"inputs":[5]}', /^\/inputs\/0: must be object/],
    ['{"inputs":[{"name":"x","shape":[1.5],"datatype":"FP32","data":[1]}]}', /^\/inputs\/0\/shape\/0: must be integer/],
    ['{"inputs":[{"name":"x","shape":[-1],"datatype":"FP32","data":[1]}]}', /^\/inputs\/0\/shape\/0: must be >= 0, got -1$/],
    ['{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":0}]}', /^\/inputs\/0\/data: expected an array of numbers$/],
    ['{"inputs":[{},{"name":"x","data":["1"]}]}', /^\/inputs\/1\/data: expected numbers, got a string$/],
    ['{"inputs":[{"name":"x","data":[[[[1]]]]}]}', /^\/inputs\/0\/data: expected arrays of numbers, got arrays nested more than 3 deep$/],
    ['{"inputs":[{"name":"x","data":[1', /is not JSON: expected "\]" at byte/],
    [`{${inputs},"outputs":[{"name":"y","parameters":{"binary_data":1}}]}`, /^\/outputs\/0\/parameters\/binary_data: must be boolean/],
    [`{${inputs},"id":"${'a'.repeat(2 ** 20)}"}`, /^the request has more than 1048576 bytes that are not tensors$/],
    [`{"a":${'['.repeat(100)}`, /nested more than 64 deep/]
  ] as const) assert.match(fault(text), message, text.slice(0, 200))
})

test('what KServe\'s client says of the model once more is not looked at, nor parameters of tensors that change nothing', () => {
  const { parameters, outputs } = read('{"model_name":"a","model_version":"1","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"content_type":"np"}}],"outputs":[{"name":"y"}]}')
  assert.deepEqual([parameters, outputs], [undefined, [{ name: 'y' }]])
})
