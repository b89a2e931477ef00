import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError, type ErrorKind } from '../../src/errors.ts'
import { readTensor, Tensor, type TensorForm } from '../../src/tensor/tensor.ts'

const ANY: TensorForm = { ranks: [1, 2, 3] }

test('nested arrays of ranks 1 to 3 are flattened row by row', () => {
  assert.deepEqual(readTensor([1, 2], '/x', ANY), new Tensor([2], Float32Array.of(1, 2)))
  assert.deepEqual(readTensor([[1, 2], [3, 4], [5, 6]], '/x', ANY), new Tensor([3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)))
  assert.deepEqual(readTensor([[[1], [2]], [[3], [4]]], '/x', ANY), new Tensor([2, 2, 1], Float32Array.of(1, 2, 3, 4)))
})

test('ragged rows are padded with zeros, and their lengths kept', () => {
  const tensor = readTensor([[[1, 2]], [[3, 4], [5, 6], [7, 8]]], '/x', { ranks: [3], ragged: true })
  assert.deepEqual(tensor, new Tensor([2, 3, 2], Float32Array.of(1, 2, 0, 0, 0, 0, 3, 4, 5, 6, 7, 8), [1, 3]))
})

test('numbers are rounded to float32 as JSON.parse and then Float32Array do', () => {
  const { data } = readTensor([0.1, -0, 1e-400, 3.4028235677973362e38, 5e-324], '/x', ANY)
  assert.deepEqual(data, Float32Array.of(Math.fround(0.1), -0, 0, 3.4028234663852886e38, 0))
})

test('there may be more rows than a function takes arguments', () => {
  const { shape, data } = readTensor(new Array(300_000).fill([[1]]), '/x', ANY)
  assert.deepEqual(shape, [300_000, 1, 1])
  assert.equal(data[299_999], 1)
})

const deep = (depth: number): unknown => depth === 0 ? 1 : [deep(depth - 1)]

const WRONG: ReadonlyArray<[name: string, value: unknown, form: TensorForm, kind: ErrorKind, path: string, message: RegExp]> = [
  ['null', null, ANY, 'malformed', '/x', /expected an array of numbers or .*, got null/],
  ['a number', 7, ANY, 'malformed', '/x', /got 7/],
  ['a string', 'abc', ANY, 'malformed', '/x', /got the string "abc"/],
  ['an object', {}, ANY, 'malformed', '/x', /got an object/],
  ['a null among numbers', [1, null], ANY, 'malformed', '/x/1', /expected a number, got null/],
  ['a number as a string', [[1], ['2']], ANY, 'malformed', '/x/1/0', /expected a number, got the string "2"/],
  ['true', [true], ANY, 'malformed', '/x/0', /expected a number, got true/],
  ['a row among numbers', [1, [2]], ANY, 'malformed', '/x/1', /expected a number, got an array/],
  ['a number among rows', [[1], 2], ANY, 'malformed', '/x/1', /expected an array, got 2/],
  ['a number among rows of rows', [[[1]], 2], ANY, 'malformed', '/x/1', /expected an array, got 2/],
  ['four axes', deep(4), ANY, 'malformed', '/x', /nested more than 3 deep/],
  ['a hundred axes', deep(100), ANY, 'malformed', '/x', /nested more than 3 deep/],
  ['a rank that is not asked for', [1], { ranks: [2, 3] }, 'malformed', '/x', /expected an array of arrays of numbers or .*, got arrays nested 1 deep/],
  ['nothing', [], ANY, 'unprocessable', '/x', /is empty/],
  ['an empty row', [[1], []], ANY, 'unprocessable', '/x/1', /ragged: has 0 numbers, but the first has 1/],
  ['an empty first row', [[]], ANY, 'unprocessable', '/x/0', /is empty/],
  ['an empty sequence', [[[1]], []], { ranks: [3], ragged: true }, 'unprocessable', '/x/1', /is empty/],
  ['a ragged matrix', [[1, 2], [3]], ANY, 'unprocessable', '/x/1', /ragged: has 1 numbers, but the first has 2/],
  ['ragged rows where they may not be', [[[1]], [[1], [2]]], ANY, 'unprocessable', '/x/1', /ragged: has 2 entries, but \/x\/0 has 1/],
  ['ragged vectors', [[[1, 2], [3]]], { ranks: [3], ragged: true }, 'unprocessable', '/x/0/1', /ragged/],
  ['a long row before short ones', [new Array(20_000).fill(1), ...new Array(20_000).fill([1])], ANY, 'unprocessable', '/x', /\[20001, 20000\] for its longest rows, has 400020000 numbers, more than the 67108864 allowed/],
  ['a long ragged row among short ones', [...new Array(20_000).fill([[1]]), new Array(20_000).fill([1])], { ranks: [3], ragged: true }, 'unprocessable', '/x', /400020000 numbers, more than/],
  ['a long vector before short ones', [[new Array(20_000).fill(1), ...new Array(20_000).fill([1])]], ANY, 'unprocessable', '/x', /400020000 numbers, more than/],
  ['1e39', [1e39], ANY, 'unprocessable', '/x/0', /1e\+39 is not finite as a float32/],
  ['the smallest number that rounds to infinity', [3.4028235677973366e38], ANY, 'unprocessable', '/x/0', /not finite/],
  ['-1e39', [[0], [-1e39]], ANY, 'unprocessable', '/x/1/0', /-1e\+39 is not finite as a float32/],
  ['infinity', JSON.parse('[1e999]'), ANY, 'unprocessable', '/x/0', /Infinity is not finite/]
]

for (const [name, value, form, kind, path, message] of WRONG) {
  test(`${name} is refused at ${path}`, () => {
    assert.throws(() => readTensor(value, '/x', form), (error) => {
      assert.ok(error instanceof InputError)
      assert.equal(error.kind, kind)
      assert.equal(error.errors[0].path, path)
      assert.match(error.errors[0].message, message)
      return true
    })
  })
}
