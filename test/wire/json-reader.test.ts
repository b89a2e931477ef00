import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Type from 'typebox'
import { findAddon } from '../../src/engine/addon.ts'
import { InputError, type ErrorKind } from '../../src/errors.ts'
import { compile, TensorSchema } from '../../src/tensor/schema.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { createJson } from '../../src/wire/json.ts'
import { MAX_REST } from '../../src/wire/json-reader.ts'

const validate = compile(Type.Object({
  x: TensorSchema({ ranks: [1, 2, 3] }, {}),
  rows: TensorSchema({ ranks: [3], ragged: true }, {}),
  steps: Type.Unknown(),
  context: Type.Object({ vectors: TensorSchema({ ranks: [2, 3] }, {}) })
}, { required: [] }))

const fields = { known: ['x', 'rows', 'steps', 'context'], tensors: ['x', 'rows', 'context/vectors'] }
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** What is refused, and how. */
const WRONG: ReadonlyArray<[name: string, text: string, kind: ErrorKind, path: string, message: RegExp]> = [
  ['null for a tensor', '{"x":null}', 'malformed', '/x', /^expected an array of numbers or .*, got null$/],
  ['a number for a tensor', '{"x":7}', 'malformed', '/x', /got 7$/],
  ['a string for a tensor', '{"x":"abc"}', 'malformed', '/x', /got the string "abc"$/],
  ['an object for a tensor', '{"x":{}}', 'malformed', '/x', /got an object$/],
  ['a null among numbers', '{"x":[1,null]}', 'malformed', '/x/1', /^expected a number, got null$/],
  ['a number as a string', '{"x":[[1],["2\\n"]]}', 'malformed', '/x/1/0', /^expected a number, got the string "2\\n"$/],
  ['a long string', `{"x":[1,"${'a'.repeat(5000)}"]}`, 'malformed', '/x/1', /^expected a number, got the string "a{40}\.\.\."$/],
  ['a long array', `{"x":[1,[${'1,'.repeat(5000)}2]]}`, 'malformed', '/x/1', /^expected a number, got an array$/],
  ['a long object', `{"x":[1,{"a":[${'1,'.repeat(5000)}2]}]}`, 'malformed', '/x/1', /^expected a number, got an object$/],
  ['true', '{"x":[true]}', 'malformed', '/x/0', /^expected a number, got true$/],
  ['a row among numbers', '{"x":[1,[2]]}', 'malformed', '/x/1', /^expected a number, got an array$/],
  ['a number among rows', '{"x":[[1],2]}', 'malformed', '/x/1', /^expected an array, got 2$/],
  ['a number among rows of rows', '{"x":[[[1]],2]}', 'malformed', '/x/1', /^expected an array, got 2$/],
  ['a number in the place of a vector', '{"x":[[[1],2]]}', 'malformed', '/x/0/1', /^expected an array, got 2$/],
  ['four axes', `{"x":${nested(4)}}`, 'malformed', '/x', /nested more than 3 deep/],
  ['a million axes', `{"x":${nested(1_000_000)}}`, 'malformed', '/x', /nested more than 3 deep/],
  ['a rank that is not asked for', '{"rows":[1]}', 'malformed', '/rows', /^expected arrays of numbers nested 3 deep, got arrays nested 1 deep$/],
  ['a rank that is not asked for, in a group', '{"context":{"vectors":[1]}}', 'malformed', '/context/vectors', /got arrays nested 1 deep$/],
  ['nothing', '{"x":[]}', 'unprocessable', '/x', /^is empty$/],
  ['an empty row', '{"x":[[1],[]]}', 'unprocessable', '/x/1', /^ragged: has 0 numbers, but the first has 1$/],
  ['an empty first row', '{"x":[[]]}', 'unprocessable', '/x/0', /^is empty$/],
  ['an empty sequence', '{"rows":[[[1]],[]]}', 'unprocessable', '/rows/1', /^is empty$/],
  ['a ragged matrix', '{"x":[[1,2],[3]]}', 'unprocessable', '/x/1', /^ragged: has 1 numbers, but the first has 2$/],
  ['ragged rows where they may not be', '{"x":[[[1]],[[1],[2]]]}', 'unprocessable', '/x/1', /^ragged: has 2 entries, but the first has 1$/],
  ['ragged vectors', '{"rows":[[[1,2],[3]]]}', 'unprocessable', '/rows/0/1', /^ragged: has 1 numbers/],
  ['a long row before short ones', `{"x":[[${'1,'.repeat(20_000)}1]${',[1]'.repeat(20_000)}]}`, 'unprocessable', '/x/1', /^ragged: has 1 numbers, but the first has 20001$/],
  ['a long ragged row among short ones', `{"rows":[${'[[1]],'.repeat(20_000)}[${'[1],'.repeat(20_000)}[1]]]}`, 'unprocessable', '/rows', /^its shape, \[20001, 20001, 1\] for its longest rows, has 400040001 numbers, more than the 67108864 allowed$/],
  ['1e39', '{"x":[1e39]}', 'unprocessable', '/x/0', /^1e\+39 is not finite as a float32$/],
  ['the smallest number that rounds to infinity', '{"x":[3.4028235677973366e38]}', 'unprocessable', '/x/0', /not finite/],
  ['-1e39', '{"x":[[0],[-1e39]]}', 'unprocessable', '/x/1/0', /^-1e\+39 is not finite as a float32$/],
  ['infinity', '{"rows":[[[0],[1e999]]]}', 'unprocessable', '/rows/0/1/0', /^Infinity is not finite/],

  ['an unknown field', '{"x":[1],"y":2}', 'malformed', '/y', /^is not a known field$/],
  ['an unknown field of megabytes', `{"y":[${'{},'.repeat(1_000_000)}{}]}`, 'malformed', '/y', /^is not a known field$/],
  ['a million unknown fields', `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":0`).join(',')}}`, 'malformed', '/k0', /^is not a known field$/],
  ['an unknown name of a megabyte', `{"${'k/'.repeat(500_000)}":1}`, 'malformed', `/${'k~1'.repeat(40)}...`, /^is not a known field$/],
  ['a field of a prototype', '{"__proto__":[[1]]}', 'malformed', '/__proto__', /^is not a known field$/],
  ['a field twice', '{"steps":1,"steps":1}', 'malformed', '/steps', /^appears twice$/],
  ['a field twice, spelled otherwise', '{"x":[1],"\\u0078":[1]}', 'malformed', '/x', /^appears twice$/],
  ['a tensor of a group twice', '{"context":{"vectors":[[1]],"vectors":[[1]]}}', 'malformed', '/context/vectors', /^appears twice$/],
  ['a group twice', '{"context":{"vectors":[[1]]},"context":3}', 'malformed', '/context', /^appears twice$/],
  ['a string in the place of a group', `{"context":"${'0'.repeat(MAX_REST)}"}`, 'malformed', '/context', /^the body has more than 1048576 bytes that are not tensors$/],
  ['an array in the place of a group', `{"context":[${'0,'.repeat(MAX_REST / 2)}0]}`, 'malformed', '/context', /more than 1048576 bytes/],
  ['a long value in a group', `{"context":{"note":[${'{},'.repeat(MAX_REST / 3)}{}]}}`, 'malformed', '/context/note', /more than 1048576 bytes/],
  ['many values in a group', `{"context":{${'"k":0,'.repeat(MAX_REST / 6)}"k":0}}`, 'malformed', '/context/k', /more than 1048576 bytes/],
  ['a long value of a field', `{"steps":"${'0'.repeat(MAX_REST)}"}`, 'malformed', '/steps', /more than 1048576 bytes/],
  ['a long string for a tensor', `{"x":"${'0'.repeat(MAX_REST)}"}`, 'malformed', '/x', /more than 1048576 bytes/],
  ['a long array for the body', `[${'0,'.repeat(MAX_REST / 2)}0]`, 'malformed', '', /more than 1048576 bytes/],
  ['much white space', `{"x":[1]${' '.repeat(MAX_REST)}}`, 'malformed', '', /more than 1048576 bytes/],
  ['a name that is not allowed', '{"context":{"vectors":[[1]],"__proto__":1}}', 'malformed', '', /__proto__ or constructor/],
  ['65 levels', `{"steps":${nested(64)}}`, 'malformed', '', /^the body is nested more than 64 deep$/],
  ['a million levels', `{"steps":${'{"a":'.repeat(1_000_000)}`, 'malformed', '', /nested more than 64 deep/],

  ['an empty body', '', 'malformed', '', /^the body is empty$/],
  ['white space alone', ' \n\t', 'malformed', '', /^the body is empty$/],
  ['a body of another type', '[1]', 'malformed', '', /must be object, got an array/],
  ['null', 'null', 'malformed', '', /must be object, got null/],
  ['an open object', '{"x":[1]', 'malformed', '', /^the body is not JSON: expected "," or "}" at byte 8, got its end$/],
  ['an open tensor', '{"x":[1', 'malformed', '', /expected "," or "]" at byte 7, got its end$/],
  ['an open value', '{"steps":[1', 'malformed', '', /expected "," or "]" at byte 11, got its end$/],
  ['an open string', '{"steps":"a', 'malformed', '', /expected a character of a string at byte 11, got its end$/],
  ['a control character', '{"steps":"a\nb"}', 'malformed', '', /expected a character of a string at byte 11, got the byte 0x0a$/],
  ['an escape that there is not', '{"steps":"\\x"}', 'malformed', '', /expected one of "\\\/bfnrtu at byte 11, got "x"$/],
  ['a short escape', '{"steps":"\\u00g0"}', 'malformed', '', /expected a hexadecimal digit at byte 14, got "g"$/],
  ['a trailing comma', '{"x":[1],}', 'malformed', '', /expected a name in double quotes at byte 9, got "}"$/],
  ['a trailing comma in a tensor', '{"x":[1, }', 'malformed', '', /expected a value at byte 9, got "}"$/],
  ['a missing colon', '{"x" [1]}', 'malformed', '', /expected ":" at byte 5, got "\["$/],
  ['a missing value', '{"x":}', 'malformed', '', /expected a value at byte 5, got "}"$/],
  ['NaN', '{"x":[NaN]}', 'malformed', '', /expected a value at byte 6, got "N"$/],
  ['a number that stops', '{"x":[1.]}', 'malformed', '', /expected a digit at byte 8, got "]"$/],
  ['a leading zero', '{"steps":01}', 'malformed', '', /expected no digit after a leading 0 at byte 10, got "1"$/],
  ['a minus', '{"x":[-]}', 'malformed', '', /expected a digit at byte 7, got "]"$/],
  ['an exponent that stops', '{"x":[1e+]}', 'malformed', '', /expected a digit at byte 9, got "]"$/],
  ['two documents', '{"x":[1]}{}', 'malformed', '', /expected its end at byte 9, got "{"$/],
  ['a byte that is no character', '{"x":[1],\u00a0"steps":1}', 'malformed', '', /expected a name in double quotes at byte 9, got the byte 0xc2$/]
]

const addon = findAddon()

for (const [name, json] of [['in JavaScript', createJson(undefined)], ...(addon === undefined ? [] : [['in the addon', createJson(addon)] as const])] as const) {
  const reader = json.reader(fields)
  const read = (text: string): unknown => validate(reader(Buffer.from(text), () => {}), '')

  describe(`the reader ${name}`, () => {
    for (const [what, text, kind, path, message] of WRONG) {
      test(`refuses ${what}`, () => {
        assert.throws(() => read(text), (error) => {
          assert.ok(error instanceof InputError)
          assert.equal(error.kind, kind)
          assert.equal(error.errors[0].path, path)
          assert.match(error.errors[0].message, message)
          return true
        })
      })
    }

    test('reads tensors of ranks 1 to 3, in any order and spelling', () => {
      assert.deepEqual(read('\ufeff{"rows" : [ [[1, 2] ] ,[[3,4]]],\n"context":{"note":"\u00e9\\ud83d", "vectors":[[5]]},"steps":[{"a":-1.5e3}, true],"\\u0078":[0.5]}'), {
        rows: new Tensor([2, 1, 2], Float32Array.of(1, 2, 3, 4)),
        context: { note: '\u00e9\ud83d', vectors: new Tensor([1, 1], Float32Array.of(5)) },
        steps: [{ a: -1500 }, true],
        x: new Tensor([1], Float32Array.of(0.5))
      })
    })

    test('reads what is just not too long', () => {
      assert.deepEqual(read(`{"steps":"${'a'.repeat(MAX_REST - 12)}"}`), { steps: 'a'.repeat(MAX_REST - 12) })
      assert.deepEqual(read(`{"steps":${nested(63)}}`), { steps: JSON.parse(nested(63)) })
    })

    test('reads more rows than a function takes arguments', () => {
      const { x } = validate(reader(Buffer.from(`{"x":[${'[[1]],'.repeat(300_000)}[[2]]]}`), () => {}), '')
      assert.deepEqual(x.shape, [300_001, 1, 1])
      assert.equal(x.data[300_000], 2)
    })

    test('counts what it makes, and stops if there is no room', () => {
      let held = 0
      reader(Buffer.from('{"rows":[[[1,2]],[[3,4],[5,6]]],"steps":3}'), (bytes) => { held += bytes })
      assert.equal(held, 6 * 4 + 2 * 4 + 32 * '{"rows":0,"steps":3}'.length)
      assert.throws(() => reader(Buffer.from('{"x":[1]}'), () => { throw new Error('no room') }), /no room/)
    })
  })
}
