import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import Type from 'typebox'
import { findAddon } from '../../src/engine/addon.ts'
import { InputError } from '../../src/errors.ts'
import { compile, TensorSchema } from '../../src/tensor/schema.ts'
import { MAX_NUMBERS, Tensor } from '../../src/tensor/tensor.ts'
import { createJson } from '../../src/wire/json.ts'
import { MAX_REST } from '../../src/wire/json-reader.ts'
import type { Fields } from '../../src/wire/tensor-paths.ts'
import { withoutAddon } from '../support/addon.ts'
import { scaled, some } from '../support/full.ts'

const addon = findAddon()
const DOCUMENTS = scaled(14_000, 50)
const SPOILT = scaled(6000, 50)

for (const [name, json] of [['in JavaScript', createJson(undefined)], ...(addon === undefined ? [] : [['in the addon', createJson(addon)] as const])] as const) {
  describe(`JSON ${name}`, () => {
    const reader = json.reader({ known: ['x', 'context'], tensors: ['x', 'context/vectors'] })
    const read = (body: Buffer): unknown => reader(body, () => {})
    const Body = compile(Type.Object({ x: TensorSchema({ ranks: [1, 2, 3], ragged: true }, {}), context: Type.Optional(Type.Unknown()) }))
    const Context = compile(Type.Object({ vectors: TensorSchema({ ranks: [1, 2, 3] }, {}) }))

    test('any tensor comes back from its JSON, bit for bit', () => {
      const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 })
      const tensor = shape.chain((sizes) => {
        const length = sizes.reduce((a, b) => a * b)
        return fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: length, maxLength: length })
          .map((values) => new Tensor(sizes, Float32Array.from(values)))
      })
      fc.assert(fc.property(tensor, tensor, (x, vectors) => {
        const text = json.write({ x, context: null }).replace('null', json.write({ vectors }))
        const { x: xBack, context } = Body(read(Buffer.from(text)), '')
        assert.deepEqual(xBack, x)
        assert.deepEqual(Context(context, '/context'), { vectors })
      }), { numRuns: scaled(500) })
    })

    test('ragged rows are padded, and their lengths kept', () => {
      const { x } = Body(read(Buffer.from('{"x": [[[1, 2]], [[3, 4], [5, 6], [7, 8]]]}')), '')
      assert.deepEqual(x, new Tensor([2, 3, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), Uint32Array.of(1, 3)))
      assert.deepEqual(x.data, Float32Array.of(1, 2, 0, 0, 0, 0, 3, 4, 5, 6, 7, 8))
    })

    test('decimals go through double to float32, as JSON.parse and Float32Array do', () => {
      const texts = [
        '0.1', '-0', '-0.0', '1e-400', '-1e-400', '3.4028235677973362e38', '5e-324', '1234567890123456789012345', '0.1234567890123456789012345',
        // Halfway between two floats, and so close to it that only the rounding of the double decides.
        '16777217', '16777219', '1.00000005960464477539062', '1.000000059604644775390625', '1.00000005960464477539063', '1.0000000596046449', '1.00000017881393421514957253748434595763683319091796875001',
        '1.1754943508222875e-38', '1.17549429e-38', '7e-46', '7.1e-46', '1E5', '1e+05', '0e999', '0.000000000000000000000000000000000000001'
      ]
      const { x } = Body(read(Buffer.from(`{"x":[${texts.join(', ')}]}`)), '')
      assert.deepEqual(x.data, Float32Array.from(texts, Number))
    })

    test('large tensors of any shape are written in pieces, each within its time', () => {
      for (const shape of some([[1], [8193], [3, 8192], [30_000, 1, 1], [5, 3, 2731], [8192], [100_000], [8192, 3], [2, 20_000], [40_000, 2], [1, 1, 30_000], [3, 4000, 5]], 5)) {
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i / 8)
        const pieces = [...json.pieces({ a: new Tensor(shape, data), t: 1, gone: undefined, b: new Tensor([1], Float32Array.of(2)) })]
        const nest = (axis: number, start: number): unknown => {
          if (axis === shape.length) return data[start]
          const size = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
          return Array.from({ length: shape[axis] }, (_, i) => nest(axis + 1, start + i * size))
        }
        assert.equal(pieces.join(''), JSON.stringify({ a: nest(0, 0), t: 1, b: [2] }))
        const longest = pieces.reduce((most, { length }) => Math.max(most, length), 0)
        assert.ok(longest < 2 ** 16 + 8192 * 16, `a piece of [${shape.join()}] has ${longest} characters`)
        assert.ok(pieces.length > data.length / 40_000)
      }
    })

    test('what is no tensor is written as JSON.stringify does', () => {
      assert.equal(json.write({ t: 3, name: 'a"b', x: new Tensor([1, 2], Float32Array.of(0.1, -0)), gone: undefined }), '{"t":3,"name":"a\\"b","x":[[0.1,-0]]}')
      assert.equal(json.write({}), '{}')
    })
  })
}

describe('both readers', { skip: withoutAddon }, () => {
  const vectors = TensorSchema({ ranks: [1, 2, 3], ragged: true }, {})
  const validate = compile(Type.Object({
    x: TensorSchema({ ranks: [2, 3], ragged: true }, {}),
    h_in: Type.Optional(TensorSchema({ ranks: [1, 2] }, {})),
    steps: Type.Optional(Type.Integer({ minimum: 1 })),
    context: Type.Optional(Type.Object({ vectors, note: Type.Optional(Type.Unknown()) }, { additionalProperties: false }))
  }, { additionalProperties: false }))
  const fields: Fields = { known: ['x', 'h_in', 'steps', 'context'], tensors: ['x', 'h_in', 'context/vectors'] }
  const read = addon?.createReader(fields.known, fields.tensors, MAX_NUMBERS, MAX_REST)
  const [readNative, readPlain] = [createJson(addon), createJson(undefined)].map((json) => json.reader(fields))

  /** What the reader makes of a body, and how many bytes it counts. */
  const outcome = (reader: typeof readPlain, body: Buffer): unknown => {
    let held = 0
    try {
      return { ...validate(reader(body, (bytes) => { held += bytes }), ''), held }
    } catch (error) {
      if (error instanceof InputError) return { kind: error.kind, errors: error.errors }
      throw error
    }
  }
  const counts = { documents: 0, accepted: 0, native: 0 }
  const compare = (body: Buffer): void => {
    const expected = outcome(readPlain, body)
    assert.deepEqual(outcome(readNative, body), expected, body.toString('latin1'))
    counts.documents++
    counts.accepted += Number(Object.hasOwn(Object(expected), 'x'))
    counts.native += Number(read?.(body) !== undefined)
  }

  const space = fc.constantFrom('', '', '', '', ' ', '\n', '\t\r ')
  const odd = fc.constantFrom('01', '+1', '.5', '1.', '1e', '-', '--1', '0x10', 'NaN', 'Infinity', '-Infinity', '1e999', '-1e39', 'null', 'true', '"1"', '{}', '[]', '1 2', '1_000')
  const good = fc.oneof(
    { weight: 40, arbitrary: fc.integer().map((value) => String(value / 2 ** 24)) },
    { weight: 20, arbitrary: fc.integer().map(String) },
    fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1, max: 1 }).map((value) => JSON.stringify(value)),
    fc.constantFrom('-0', '-0.0', '0e7', '1e-400', '16777217', '0.33333333333333333333333333', '1.00000005960464477539062', '1E2', '25e-1', '1.17549429e-38', '3.4028235677973362e38', '3.4028235677973366e38'),
    fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.integer({ min: -60, max: 20 })).map(([digits, exponent]) => `${digits}e${exponent}`)
  )
  const number = fc.oneof({ weight: 200, arbitrary: good }, odd)
  const list = (item: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> =>
    fc.tuple(fc.array(fc.tuple(space, item, space).map((parts) => parts.join('')), { minLength: 1, maxLength: most }), space).map(([items, s]) => `[${items.join(',')}${s}]`)
  /** Mostly with even rows. */
  const rows = (rank: number): fc.Arbitrary<string> => fc.array(fc.integer({ min: 1, max: 4 }), { minLength: rank, maxLength: rank }).chain((sizes) => {
    const even = (axis: number): fc.Arbitrary<string> => {
      const item = axis === rank - 1 ? number : even(axis + 1)
      const length = rank === 3 && axis === 1 ? { minLength: 1, maxLength: 3 } : { minLength: sizes[axis], maxLength: sizes[axis] }
      return fc.tuple(fc.array(fc.tuple(space, item).map((parts) => parts.join('')), length), space).map(([items, s]) => `[${items.join(',')}${s}]`)
    }
    return even(0)
  })
  const tensor = fc.oneof(
    { weight: 10, arbitrary: rows(2) }, { weight: 10, arbitrary: rows(3) }, { weight: 2, arbitrary: rows(1) },
    list(list(number, 3), 3), list(fc.oneof(number, list(number, 2)), 3), list(list(list(list(number, 1), 1), 2), 2), odd
  )
  const plain = fc.oneof(fc.json({ maxDepth: 3 }), fc.constantFrom('2', '1.5', '"a\\"]b"', '"\\u0078"', '{"constructor":{}}', '{"__proto__":1}', '"\u00e9"', '"\\ud800"', '"\u0007"', '[[[[', '}}'))
  const member = (key: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.tuple(space, space, value, space).map(([a, b, text, c]) => `${a}"${key}"${b}:${text}${c}`)
  const context = fc.array(fc.oneof({ weight: 8, arbitrary: member('vectors', tensor) }, member('note', plain), member('x', tensor)), { maxLength: 2 }).map((members) => `{${members.join(',')}}`)
  const key = fc.oneof(fc.constantFrom('y', '__proto__', 'constructor', '\\u0078', 'context/vectors', '', 'x ', '\u00e9'), fc.string({ maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)))
  const document = fc.tuple(
    fc.option(member('x', tensor), { freq: 30 }),
    fc.array(fc.oneof(
      { weight: 5, arbitrary: member('h_in', fc.oneof(rows(1), rows(2), tensor)) },
      { weight: 5, arbitrary: member('steps', fc.constantFrom('1', '3', '2', '0', '"1"')) },
      { weight: 5, arbitrary: member('context', fc.oneof({ weight: 9, arbitrary: context }, plain)) },
      member('x', tensor),
      key.chain((name) => member(name, fc.oneof(tensor, plain)))
    ), { maxLength: 3 }),
    fc.boolean()
  ).map(([x, others, first]) => `{${[...(first && x !== null ? [x] : []), ...others, ...(first || x === null ? [] : [x])].join(',')}}`)

  test(`give the same for ${DOCUMENTS} documents, valid and not`, () => {
    Object.assign(counts, { documents: 0, accepted: 0, native: 0 })
    fc.assert(fc.property(document, (text) => compare(Buffer.from(text))), { numRuns: DOCUMENTS, seed: 1 })
    assert.ok(counts.accepted > DOCUMENTS / 5, `only ${counts.accepted} were accepted`)
    assert.ok(counts.native > DOCUMENTS / 4, `only ${counts.native} were read in the addon`)
  })

  test(`give the same for ${SPOILT} documents with bytes changed, cut or doubled`, () => {
    const bytes = fc.oneof(fc.constantFrom(...'[]{}",:.-+eE0129 \\u\n'.split('').map((c) => Buffer.from(c))), fc.uint8Array({ minLength: 1, maxLength: 3 }).map((b) => Buffer.from(b)))
    const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.integer({ min: 0, max: 3 }), insert: fc.option(bytes) })
    const cut = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 2 })
    fc.assert(fc.property(document, fc.array(edit, { maxLength: 3 }), cut, (text, edits, end) => {
      let body = Buffer.from(text)
      for (const { at, drop, insert } of edits) {
        const where = Math.floor(at * body.length)
        body = Buffer.concat([body.subarray(0, where), insert ?? Buffer.alloc(0), body.subarray(where + drop)])
      }
      compare(end === null ? body : body.subarray(0, Math.floor(end * body.length)))
    }), { numRuns: SPOILT, seed: 2 })
  })

  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  const HOSTILE: ReadonlyArray<[name: string, body: string | Uint8Array]> = [
    ['nothing', ''],
    ['white space', ' \n'],
    ['a byte order mark', '\ufeff{"x":[[1]]}'],
    ['two documents', '{"x":[[1]]}{"x":[[1]]}'],
    ['a tail', '{"x":[[1]]}x'],
    ['a trailing comma in a tensor', '{"x":[[1,]]}'],
    ['a trailing comma', '{"x":[[1]],}'],
    ['a comment', '{"x":[[1]]/**/}'],
    ['equal keys', '{"x":[[1]],"x":[[2]]}'],
    ['equal keys, the last no tensor', '{"x":[[1]],"x":7}'],
    ['equal keys, one spelled otherwise', '{"x":[[1]],"\\u0078":[[2]]}'],
    ['equal contexts', '{"x":[[1]],"context":{"vectors":[1]},"context":{"vectors":[2]}}'],
    ['a context, then another value for it', '{"x":[[1]],"context":{"vectors":[1]},"context":3}'],
    ['a prototype', '{"x":[[1]],"__proto__":{"steps":1}}'],
    ['a prototype in a context', '{"x":[[1]],"context":{"vectors":[1],"__proto__":{}}}'],
    ['a prototype that is a tensor\'s name', '{"__proto__":[[1]]}'],
    ['a truncated character', Buffer.concat([Buffer.from('{"x":[[1]],"y":"'), Buffer.of(0xe2, 0x82), Buffer.from('"}')])],
    ['a character that is none in a tensor', Buffer.concat([Buffer.from('{"x":[[1'), Buffer.of(0xff), Buffer.from(']]}')])],
    ['a zero byte', '{"x":[[1\0]]}'],
    ['a control character in a key', '{"x\n":[[1]]}'],
    ['a non-breaking space', '{"x":[[1,\u00a02]]}'],
    ['64 levels', `{"x":[[1]],"context":{"vectors":[1],"note":${deep(62)}}}`],
    ['65 levels', `{"x":[[1]],"context":{"vectors":[1],"note":${deep(63)}}}`],
    ['a million levels', `{"x":${deep(1_000_000)}}`],
    ['a million levels that never close', `{"x":[[1]],"y":${'['.repeat(1_000_000)}`],
    ['a million objects', '{"x":'.repeat(1_000_000)],
    ['brackets in a string', `{"x":[[1]],"context":{"vectors":[1],"note":"${'['.repeat(100)}\\"]"}}`],
    ['one long row before many short ones', `{"x":[${deepRow(20_000)}${',[[1]]'.repeat(20_000)}]}`],
    ['a number of a megabyte', `{"x":[[0.${'1'.repeat(1 << 20)}]]}`],
    ['zeros of a megabyte', `{"x":[[0.${'0'.repeat(1 << 20)}1]]}`],
    ['a large exponent', '{"x":[[1e99999999999999999999]]}'],
    ['a small exponent', '{"x":[[1e-99999999999999999999]]}'],
    ['a zero with a large exponent', '{"x":[[0e99999999999999999999]]}']
  ]
  for (const [name, body] of HOSTILE) test(`give the same for ${name}`, () => compare(Buffer.from(body)))
})

function deepRow (length: number): string {
  return `[${new Array(length).fill('[1]').join(',')}]`
}
