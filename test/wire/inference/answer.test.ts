import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findAddon } from '../../../src/engine/addon.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { inferenceObject, writeInference } from '../../../src/wire/inference/answer.ts'
import { createJson } from '../../../src/wire/json.ts'

const head = { model_name: 'a "b"', model_version: '1', id: 'é' }
const outputs = [true, false].map((binary, i) => ({ name: `y${i}`, tensor: new Tensor([1, 2], Float32Array.of(i, 0.1)), binary }))

for (const json of [createJson(findAddon()), createJson(undefined)]) {
  test('numbers are flat in JSON', () => {
    const answer = inferenceObject(head, outputs)
    const expected = '{"model_name":"a \\"b\\"","model_version":"1","id":"é","outputs":[{"name":"y0","datatype":"FP32","shape":[1,2],"data":[0,0.1]},{"name":"y1","datatype":"FP32","shape":[1,2],"data":[1,0.1]}]}'
    assert.equal(json.write(answer), expected)
    assert.equal([...json.pieces(answer)].join(''), expected)
  })

  test('bytes follow the JSON, whose length is that of its bytes', () => {
    const [text, ...tensors] = writeInference(head, outputs, json.write)
    assert.equal(String(text), '{"model_name":"a \\"b\\"","model_version":"1","id":"é","outputs":[{"name":"y0","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},{"name":"y1","datatype":"FP32","shape":[1,2],"data":[1,0.1]}]}')
    assert.deepEqual(tensors, [new Uint8Array(Float32Array.of(0, 0.1).buffer)])
  })
}
