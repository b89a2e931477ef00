import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readIds, readVector, readVectors, TextFault, writeVectors } from '../../../page/src/input/numbers.ts'

describe('a text is read as vectors', () => {
  for (const [what, text, width, vectors] of [
    ['lines with commas', '1, 2\n-3.5,4e-2\n', 2, [[1, 2], [-3.5, 0.04]]],
    ['lines with spaces, tabs and semicolons, of any system', '1 2\r\n3\t4\r\n5;6', 2, [[1, 2], [3, 4], [5, 6]]],
    ['a CSV file with a header and an empty line', 'left,right\n1,2\n\n3,4,\n', 2, [[1, 2], [3, 4]]],
    ['JSON', ' [[1, 2], [3, 4]]', 2, [[1, 2], [3, 4]]],
    ['JSON of a request', '{"x": [[[1, 2], [3, 4]]], "parts": []}', 2, [[1, 2], [3, 4]]],
    ['a batch of one', '[[[1, 2]]]', 2, [[1, 2]]],
    ['one vector in JSON', '[1, 2]', 2, [[1, 2]]],
    ['one number a line', '1\n2', 1, [[1], [2]]],
    ['numbers of one a step in one line', '1, 2, 3', 1, [[1], [2], [3]]],
    ['numbers of one a step in JSON', '[1, 2, 3]', 1, [[1], [2], [3]]],
    ['what the service shall judge', '1\n2, 3', 2, [[1], [2, 3]]]
  ] as const) test(what, () => assert.deepEqual(readVectors(text, width, 'x'), vectors))

  test('whatever was written so', () => {
    fc.assert(fc.property(fc.array(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0), { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 20 }), (rows) => {
      assert.deepEqual(readVectors(writeVectors(rows), 5, 'x'), rows.map((row) => row.map((value) => Number(String(value)))))
    }))
  })
})

describe('what is wrong with a text is said', () => {
  for (const [text, message] of [
    ['  ', /^Enter numbers/],
    ['1, 2\n3, x', /^Line 2: “x” is not a number\.$/],
    ['1,,2', /^$|no number/],
    ['a, b', /^Line 1: “a” is not a number/],
    ['1, Infinity', /^Line 1: “Infinity” is not a number/],
    ['[[1, 2]', /^This is not JSON: /],
    ['[[1, null]]', /^Vector 0: null is not a number\.$/],
    ['[[1], 2]', /^Vector 1: expected a list/],
    ['{"y": [1]}', /^Expected lists of numbers, or a request that has "x"\.$/],
    ['[[[1]], [[2]]]', /^These are 2 rows of a batch/]
  ] as const) {
    test(JSON.stringify(text), () => {
      if (text === '1,,2') assert.deepEqual(readVectors(text, 2, 'x'), [[1, 2]])
      else assert.throws(() => readVectors(text, 2, 'x'), (error) => error instanceof TextFault && message.test(error.message))
    })
  }
})

test('ids and lone vectors are read from a line, a column or JSON', () => {
  for (const text of ['1, 2, 3', '1\n2\n3', '[1, 2, 3]', '[[1, 2, 3]]']) {
    assert.deepEqual(readIds(text), [1, 2, 3])
    assert.deepEqual(readVector(text, 'h_0'), [1, 2, 3])
  }
})
