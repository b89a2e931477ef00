import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSafetensors } from '../../../src/tensor/safetensors.ts'
import { LayoutError, readFloats } from '../../../src/weights/layouts/floats.ts'
import { f32, writeSafetensors, type Written } from '../../support/safetensors.ts'
import { numbered, readTensors } from '../../support/tensors.ts'

const BITS: ReadonlyArray<[dtype: string, bytes: Uint8Array]> = [
  ['F32', new Uint8Array(Float32Array.of(1, -2.5, 0.5, 2 ** -24).buffer)],
  ['F64', new Uint8Array(Float64Array.of(1, -2.5, 0.5, 2 ** -24).buffer)],
  ['F16', new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x3800, 0x0001).buffer)],
  ['BF16', new Uint8Array(Uint16Array.of(0x3f80, 0xc020, 0x3f00, 0x3380).buffer)]
]

for (const [dtype, bytes] of BITS) {
  test(`a network of ${dtype} is held as float32`, () => {
    const weights = { dtype, shape: [4, 1], bytes }
    const [[{ cell, projection }]] = readTensors({ weight_ih_l0: weights, weight_hh_l0: weights, bias_ih_l0: { ...weights, shape: [4] }, weight_hr_l0: { ...weights, shape: [1, 1], bytes: bytes.subarray(0, bytes.length / 4) } }).layers.nodes
    for (const data of [cell.weightIh, cell.weightHh, cell.biasIh]) assert.deepEqual(data, Float32Array.of(1, -2.5, 0.5, 2 ** -24))
    assert.deepEqual(projection?.weight, Float32Array.of(1))
  })
}

const good = { weight_ih_l0: numbered([12, 2]), weight_hh_l0: numbered([12, 2]), bias_ih_l0: numbered([12]), weight_hr_l0: numbered([2, 3]) }
const WRONG: ReadonlyArray<[name: string, tensors: Record<string, Written>, message: RegExp]> = [
  ['whole numbers', { ...good, bias_ih_l0: { dtype: 'I8', shape: [12], bytes: new Uint8Array(12) } }, /^tensor bias_ih_l0: expected dtype F32, F64, F16, BF16, found I8$/],
  ['a NaN', { ...good, bias_ih_l0: f32([12], [0, 0, NaN, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }, /^tensor bias_ih_l0: element 2 is NaN as a float32$/],
  ['an infinite half', { ...good, bias_ih_l0: { dtype: 'F16', shape: [12], bytes: new Uint8Array(new Uint16Array(12).fill(0xfc00).buffer) } }, /bias_ih_l0: element 0 is -Infinity/],
  ['a double that float32 cannot hold', { ...good, bias_ih_l0: { dtype: 'F64', shape: [12], bytes: new Uint8Array(new Float64Array(12).fill(1e39).buffer) } }, /element 0 is Infinity as a float32/],
  ['a NaN in W_ih', { ...good, weight_ih_l0: f32([12, 2], new Array(24).fill(NaN)) }, /weight_ih_l0: element 0 is NaN/],
  ['a NaN in W_hh', { ...good, weight_hh_l0: f32([12, 2], new Array(24).fill(NaN)) }, /weight_hh_l0: element 0 is NaN/],
  ['a NaN in a projection', { ...good, weight_hr_l0: f32([2, 3], [0, 0, 0, 0, 0, NaN]) }, /weight_hr_l0: element 5 is NaN/]
]

for (const [name, tensors, message] of WRONG) {
  test(`${name}: refused`, () => {
    assert.throws(() => readTensors(tensors), (error) => {
      assert.ok(error instanceof LayoutError)
      assert.match(error.message, message)
      return true
    })
  })
}

test('a tensor that is not there: refused, with some of those that are', () => {
  const tensors = parseSafetensors(writeSafetensors(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`t${i}`.padEnd(90, 'x'), numbered([1])]))))
  assert.throws(() => readFloats(tensors, 'p'), /^LayoutError: tensor p: is missing; found t0x{78}\.\.\., .* and 88 more$/)
})
